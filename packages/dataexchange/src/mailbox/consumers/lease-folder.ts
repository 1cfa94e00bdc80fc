// Leases of messages
// ==================
//
// A group of consumers shares an inbox. Each group has a hidden subfolder, `.consumers/<group>/`, and all that the group
// knows lies in the names and times of empty files there. So processes share it without a lock, a crashed process
// leaves no lock behind, no log has to be compacted, and no process has to run in between.
//
//   <id>.<n>    The message <id> was handed out for the nth time. The file's modification time is the end of the lease.
//   <id>.done   The message has been acknowledged.
//   <id>.dead   The message was handed out too often: a dead letter.
//
// Taking a lease. A consumer reads the state of the message. If the last lease has expired, it makes <id>.<n + 1> with
// link(), which succeeds in one process only. The time is set on a temporary file before the link, so nobody sees a
// lease without its end. After the link the consumer looks for <id>.done and <id>.dead, and for <id>.<n>. If its view
// was out of date, it removes its own lease again. An acknowledgement makes <id>.done before it removes leases, so a
// consumer that has made a lease and then finds no <id>.done holds a message that is not acknowledged.
//
// Extending a lease, and giving a message back, set the time of <id>.<n>. The lease was lost if <id>.<n> is gone or
// <id>.<n + 1> exists.
//
// Acknowledging makes <id>.done and syncs the folder; then the acknowledgement resolves. Leases are removed afterwards.
// A crash in between leaves lease files beside <id>.done, which mean nothing. Leases are never synced: after a power
// cut a message may be handed out before its old lease would have expired, but an acknowledged one never is.
//
// Dead letters. When the last lease that a message may have has expired, the next consumer renames it to <id>.dead.
// Reviving removes the leases first and <id>.dead last, so that a half-revived message is still dead.
//
// Forgetting. State of messages that are no longer in the inbox is removed, so a group never holds more than the inbox
// does. Before that, the removal of the message itself is made durable: tombstones beside the journal, then a sync
// of the inbox. Otherwise a power cut could bring the message back without its <id>.done.
//
// Clocks. Leases compare wall-clock times. If the clock jumps ahead, they expire early. If it is set back, they last
// longer by as much; a lease that ends more than 25 hours from now counts as expired.

import { lstat, open, readdir, rename, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../../async/coalesce.ts'
import { DirectorySync, makeFolder } from '../../disk/directory-sync.ts'
import { ifExists, removeFile, retryInFolder } from '../../disk/if-exists.ts'
import { FILE_MODE, type FolderLayout, folderLayout, temporaryPath } from '../../disk/layout.ts'
import { publish } from '../../disk/publish.ts'
import { sweepTemporaries } from '../../disk/sweep.ts'
import { addTombstones } from '../journal/tombstones.ts'
import { groupLayout, MESSAGE_SUFFIX } from '../layout.ts'

/** The state of one message in a group. */
export interface LeaseState {
  /** Acknowledged. */
  readonly done: boolean
  /** A dead letter: not handed out until it is revived. */
  readonly dead: boolean
  /** How many times it has been handed out. */
  readonly attempt: number
  /** When its last lease ends, in ms since the Unix epoch; 0 without a lease. */
  readonly until: number
}

/** The state of one group of consumers on the disk. */
export class LeaseFolder {
  readonly #layout: FolderLayout
  readonly #inbox: DirectorySync
  readonly #directory: DirectorySync
  readonly #durable: boolean
  /** File names that the next tombstones are for. */
  #removed: string[] = []
  readonly #addTombstones: () => Promise<void>

  /** The state of the group `group` of the inbox `dir`. Without `durable` nothing is synced. */
  constructor(dir: string, group: string, durable: boolean) {
    this.#layout = groupLayout(dir, group)
    const inbox = folderLayout(dir)
    this.#addTombstones = coalesce(() => addTombstones(inbox, this.#removed.splice(0)))
    this.#inbox = new DirectorySync(dir)
    this.#directory = new DirectorySync(this.#layout.dir)
    this.#durable = durable
  }

  /** Creates the folder if it is missing, and removes temporary files of dead processes. */
  async open(): Promise<void> {
    await this.#make()
    await sweepTemporaries(this.#layout)
  }

  /** The states of all messages that the group has files of. Their `until` is not read and is 0. */
  async readAll(): Promise<Map<string, LeaseState>> {
    const states = new Map<string, LeaseState>()
    for (const name of await ifExists(readdir(this.#layout.dir), [])) {
      const [, id, kind] = STATE_NAME.exec(name) ?? []
      if (id === undefined || kind === undefined) continue
      const { done, dead, attempt } = states.get(id) ?? NO_STATE
      states.set(id, {
        done: done || kind === 'done',
        dead: dead || kind === 'dead',
        attempt: Math.max(attempt, Number(kind) || 0),
        until: 0,
      })
    }
    return states
  }

  /** The state of the message `id`. */
  async read(id: string): Promise<LeaseState> {
    const [done, dead] = await Promise.all([this.#has(id, 'done'), this.#has(id, 'dead')])
    let attempt = 0
    let until = 0
    for (let end = await this.#endOf(id, 1); end !== undefined; end = await this.#endOf(id, attempt + 1)) {
      attempt++
      until = end
    }
    return { done, dead, attempt, until }
  }

  /**
   * Makes the lease number `attempt`, which ends at `until`. Resolves with false if another consumer was first, or if
   * the state that the caller has read is out of date.
   */
  async acquire(id: string, attempt: number, until: number): Promise<boolean> {
    if (!(await this.#link(id, attempt, until))) return false
    // The order matters: reviving a dead letter removes its leases before its `.dead`.
    const isOver = (await this.#has(id, 'done')) || (await this.#has(id, 'dead'))
    const follows = attempt === 1 || (await this.#has(id, attempt - 1))
    if (!isOver && follows) return true
    await this.release(id, attempt)
    return false
  }

  /** Removes a lease, so that it does not count as an attempt. */
  async release(id: string, attempt: number): Promise<void> {
    await this.#remove(id, attempt)
  }

  /** Moves the end of a lease to `until`. Resolves with false if it is no longer the last lease of the message. */
  async setUntil(id: string, attempt: number, until: number): Promise<boolean> {
    const seconds = until / 1000
    const isThere = utimes(this.#path(id, attempt), seconds, seconds).then(() => true)
    return (await ifExists(isThere, false)) && !(await this.#has(id, attempt + 1))
  }

  /** Acknowledges the message; resolves when that is durable. */
  async setDone(id: string): Promise<void> {
    await this.#inFolder(async () => (await open(this.#path(id, 'done'), 'a', FILE_MODE)).close())
    if (this.#durable) await this.#directory.sync()
    await this.removeLeases(id)
  }

  /** Removes all state of the message but its acknowledgement. */
  async removeLeases(id: string): Promise<void> {
    await this.#remove(id, 'dead')
    for (let attempt = 1; await this.#remove(id, attempt); ) attempt++
  }

  /** Turns the expired lease number `attempt` into a dead letter. */
  async setDead(id: string, attempt: number): Promise<void> {
    await ifExists(rename(this.#path(id, attempt), this.#path(id, 'dead')), undefined)
  }

  /** Resets a dead letter, as if it had never been handed out. */
  async revive(id: string): Promise<void> {
    for (let attempt = 1; await this.#remove(id, attempt); ) attempt++
    await this.#remove(id, 'dead')
  }

  /** Removes the state of messages that are no longer in the inbox, once their removal is durable. */
  async forget(ids: Iterable<string>): Promise<void> {
    const gone = new Set(ids)
    if (gone.size === 0) return
    await this.syncRemoval([...gone])
    for (const name of await ifExists(readdir(this.#layout.dir), [])) {
      const [, id = ''] = STATE_NAME.exec(name) ?? []
      if (gone.has(id)) await removeFile(join(this.#layout.dir, name))
    }
  }

  /**
   * Makes the removal of the messages `ids` durable, also against recovery from a journal. The caller then removes
   * the files once more, since a recovery may just have written them again, and calls this again if any was there;
   * see `addTombstones`.
   */
  async syncRemoval(ids: readonly string[]): Promise<void> {
    if (!this.#durable) return
    this.#removed.push(...ids.map(id => `${id}${MESSAGE_SUFFIX}`))
    await Promise.all([this.#addTombstones(), this.#inbox.sync()])
  }

  async #endOf(id: string, attempt: number): Promise<number | undefined> {
    const stats = await ifExists(lstat(this.#path(id, attempt)), undefined)
    if (stats === undefined) return undefined
    // Rounded up, since fractions of a second come back slightly smaller.
    return stats.mtimeMs > Date.now() + CLOCK_SET_BACK_MS ? 0 : Math.ceil(stats.mtimeMs)
  }

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

  /** Runs `task`. If the folder has been removed, creates it and runs `task` once more. */
  #inFolder<T>(task: () => Promise<T>): Promise<T> {
    return retryInFolder(() => this.#make(), task)
  }

  async #make(): Promise<void> {
    await makeFolder(this.#layout.temporaries, this.#durable)
  }

  async #has(id: string, kind: StateKind): Promise<boolean> {
    return (await ifExists(lstat(this.#path(id, kind)), undefined)) !== undefined
  }

  async #remove(id: string, kind: StateKind): Promise<boolean> {
    return removeFile(this.#path(id, kind))
  }

  #path(id: string, kind: StateKind): string {
    return join(this.#layout.dir, `${id}.${kind}`)
  }
}

/** The ending of a state file; a number is an attempt. */
type StateKind = 'done' | 'dead' | number

const STATE_NAME = /^(.+)\.(done|dead|[1-9]\d{0,3})$/s
const NO_STATE: LeaseState = { done: false, dead: false, attempt: 0, until: 0 }
/** Longer than the longest lease and the longest delay. */
const CLOCK_SET_BACK_MS = 25 * 3_600_000
