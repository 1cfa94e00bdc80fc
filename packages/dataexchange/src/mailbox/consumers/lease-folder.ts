import { lstat, open, readdir, rename, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../../async/coalesce.ts'
import { DirectorySync, makeFolder } from '../../disk/directory-sync.ts'
import { ifThere, removeFile } from '../../disk/if-exists.ts'
import { FILE_MODE, type FolderLayout, folderLayout, temporaryPath } from '../../disk/layout.ts'
import { publish } from '../../disk/publish.ts'
import { sweepTemporaries } from '../../disk/sweep.ts'
import { systemCode } from '../../errors.ts'
import { addTombstones } from '../journal/tombstones.ts'
import { groupLayout, MESSAGE_SUFFIX } from '../layout.ts'

/** What a group of consumers knows of one message. */
export interface LeaseState {
  /** Acknowledged. */
  readonly done: boolean
  /** Handed out too often: nobody gets it until it is given back. */
  readonly dead: boolean
  /** How often it has been handed out. */
  readonly attempt: number
  /** When it may be handed out again: ms since the Unix epoch. */
  readonly until: number
}

/**
 * The state of one group of consumers, in the hidden subfolder `.consumers/<group>/` of an inbox. It is all in
 * the names and times of empty files, so that processes share it without a lock:
 *
 * - `<id>.<n>`: the message was handed out for the nth time. Made by link(), which one process only can do; the
 *   time of the file is the end of the lease. A lease that has run out is taken over by making `<id>.<n + 1>`.
 * - `<id>.done`: acknowledged, durably. Made before the leases are removed: so who makes a lease, and finds no
 *   `.done` after that, has a message that is not acknowledged.
 * - `<id>.dead`: handed out too often.
 */
export class LeaseFolder {
  readonly #layout: FolderLayout
  readonly #inbox: DirectorySync
  #removed: string[] = []
  readonly #noteRemoved: () => Promise<void>
  readonly #directory: DirectorySync
  readonly #durable: boolean

  /** Of the group `group` of the inbox `dir`. */
  constructor(dir: string, group: string, durable: boolean) {
    this.#layout = groupLayout(dir, group)
    const inbox = folderLayout(dir)
    this.#noteRemoved = coalesce(() => addTombstones(inbox, this.#removed.splice(0)))
    this.#inbox = new DirectorySync(dir)
    this.#directory = new DirectorySync(this.#layout.dir)
    this.#durable = durable
  }

  /** Makes the folder where it is missing, and removes what processes that died were making. */
  async open(): Promise<void> {
    await this.#make()
    await sweepTemporaries(this.#layout)
  }

  /** All that the group knows. The times are not looked up, and zero. */
  async states(): Promise<Map<string, LeaseState>> {
    const states = new Map<string, LeaseState>()
    for (const name of await ifThere(readdir(this.#layout.dir), [])) {
      const [, id, what] = STATE_NAME.exec(name) ?? []
      if (id === undefined || what === undefined) continue
      const { done, dead, attempt } = states.get(id) ?? UNKNOWN
      states.set(id, {
        done: done || what === 'done',
        dead: dead || what === 'dead',
        attempt: Math.max(attempt, Number(what) || 0),
        until: 0,
      })
    }
    return states
  }

  /** What the group knows of one message. */
  async look(id: string): Promise<LeaseState> {
    const [done, dead] = await Promise.all([this.#has(id, 'done'), this.#has(id, 'dead')])
    let attempt = 0
    let until = 0
    for (let time = await this.until(id, 1); time !== undefined; time = await this.until(id, attempt + 1)) {
      attempt++
      until = time
    }
    return { done, dead, attempt, until }
  }

  /**
   * Hands the message out for the nth time, until `until`. False where somebody else was faster, or where what
   * the caller knew of it holds no longer.
   */
  async claim(id: string, attempt: number, until: number): Promise<boolean> {
    if (!(await this.#link(id, attempt, until))) return false
    // The order matters: whoever revives a dead message removes its leases before its `.dead`.
    const settled = (await this.#has(id, 'done')) || (await this.#has(id, 'dead'))
    const follows = attempt === 1 || (await this.#has(id, attempt - 1))
    if (!settled && follows) return true
    await this.release(id, attempt)
    return false
  }

  /** Takes a claim back, as if it had not been made. */
  async release(id: string, attempt: number): Promise<void> {
    await this.#remove(id, attempt)
  }

  /** When the nth lease of a message ends; undefined where there is none. */
  async until(id: string, attempt: number): Promise<number | undefined> {
    const stats = await ifThere(lstat(this.#path(id, attempt)), undefined)
    if (stats === undefined) return undefined
    // A clock that was set back must not keep a message for years. Up: seconds as a fraction come back a little less.
    return stats.mtimeMs > Date.now() + CLOCK_SET_BACK_MS ? 0 : Math.ceil(stats.mtimeMs)
  }

  /** Moves the end of the nth lease. False where it is no longer the message's last one. */
  async setUntil(id: string, attempt: number, until: number): Promise<boolean> {
    const seconds = until / 1000
    const isThere = utimes(this.#path(id, attempt), seconds, seconds).then(() => true)
    return (await ifThere(isThere, false)) && !(await this.#has(id, attempt + 1))
  }

  /** The message is acknowledged; durably, once this resolves. */
  async finish(id: string): Promise<void> {
    await this.#inFolder(async () => (await open(this.#path(id, 'done'), 'a', FILE_MODE)).close())
    if (this.#durable) await this.#directory.sync()
    await this.clean(id)
  }

  /** Removes all but what says that the message is acknowledged. */
  async clean(id: string): Promise<void> {
    await this.#remove(id, 'dead')
    for (let attempt = 1; await this.#remove(id, attempt); ) attempt++
  }

  /** The nth lease has run out, and was the last that the message gets. */
  async bury(id: string, attempt: number): Promise<void> {
    await ifThere(rename(this.#path(id, attempt), this.#path(id, 'dead')), undefined)
  }

  /** A dead message is as if it had never been handed out. */
  async revive(id: string): Promise<void> {
    for (let attempt = 1; await this.#remove(id, attempt); ) attempt++
    await this.#remove(id, 'dead')
  }

  /**
   * Forgets messages that are no longer in the inbox. That they are gone is made durable first: one that a
   * power cut brings back must not be handed out again.
   */
  async forget(ids: Iterable<string>): Promise<void> {
    const gone = new Set(ids)
    if (gone.size === 0) return
    await this.syncRemoval([...gone])
    for (const name of await ifThere(readdir(this.#layout.dir), [])) {
      const [, id = ''] = STATE_NAME.exec(name) ?? []
      if (gone.has(id)) await removeFile(join(this.#layout.dir, name))
    }
  }

  /**
   * Makes it durable that the messages `ids` were removed from the inbox: also from what its service has in a journal. They
   * are to be removed once more after it, see `addTombstones`; where one was there again, that is to be made durable too.
   */
  async syncRemoval(ids: readonly string[]): Promise<void> {
    if (!this.#durable) return
    this.#removed.push(...ids.map(id => `${id}${MESSAGE_SUFFIX}`))
    await Promise.all([this.#noteRemoved(), this.#inbox.sync()])
  }

  /** The time is set before the name is given: nobody sees a lease that has not begun. */
  #link(id: string, attempt: number, until: number): Promise<boolean> {
    return this.#inFolder(async () => {
      const temporary = temporaryPath(this.#layout)
      const handle = await open(temporary, 'wx', FILE_MODE)
      try {
        await handle.utimes(until / 1000, until / 1000).finally(() => handle.close())
        return await publish(this.#layout, temporary, `${id}.${attempt}`)
      } finally {
        await unlink(temporary).catch(() => undefined)
      }
    })
  }

  /** Runs `task`; where the folder has been removed meanwhile, once more in a new one. */
  async #inFolder<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      await this.#make()
      return task()
    }
  }

  async #make(): Promise<void> {
    await makeFolder(this.#layout.temporaries, this.#durable)
  }

  async #has(id: string, what: 'done' | 'dead' | number): Promise<boolean> {
    return (await ifThere(lstat(this.#path(id, what)), undefined)) !== undefined
  }

  /** False where it was not there. */
  async #remove(id: string, what: 'dead' | number): Promise<boolean> {
    return removeFile(this.#path(id, what))
  }

  #path(id: string, what: 'done' | 'dead' | number): string {
    return join(this.#layout.dir, `${id}.${what}`)
  }
}

const STATE_NAME = /^(.+)\.(done|dead|[1-9]\d{0,3})$/s
const UNKNOWN: LeaseState = { done: false, dead: false, attempt: 0, until: 0 }
/** Over the longest lease, and the longest delay, that there is. */
const CLOCK_SET_BACK_MS = 25 * 3_600_000
