import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Fifo } from '../../async/queue.ts'
import { type Changes, FolderBell } from '../../disk/folder-watcher.ts'
import { removeFile } from '../../disk/if-exists.ts'
import { folderLayout } from '../../disk/layout.ts'
import { MailboxError, PluginError, systemCode } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import {
  type DamagedMessage,
  type InboxMessage,
  isMessageName,
  messageIds,
  readMessage,
} from '../inbox/read.ts'
import { isRecoveryDue } from '../journal/recovery-due.ts'
import { defaultInboxDir, MESSAGE_SUFFIX } from '../layout.ts'
import { LeaseFolder } from './lease-folder.ts'
import { type LeasedMessage, leasedMessage } from './leased-message.ts'

/** How an {@link InboxConsumer} works. */
export interface ConsumerOptions {
  /**
   * Folder of the messages.
   * @default ~/.pilot/inbox
   */
  dir?: string
  /**
   * The consumers of one group share the messages; each group gets all of them. 1 to 64 characters of
   * A-Z a-z 0-9 - _ and, but for the first, dots.
   * @default default
   */
  group?: string
  /**
   * Milliseconds that a consumer has for a message, up to 24 hours. Then another one gets it.
   * @default 60000
   */
  leaseMs?: number
  /**
   * How often a message is handed out before it is dead, 1 to 1000. A dead message stays in the inbox; see
   * {@link InboxConsumer.dead}.
   * @default 5
   */
  maxAttempts?: number
  /**
   * Whether a message that is acknowledged is removed from the inbox, for all groups and programs.
   * @default false
   */
  remove?: boolean
  /**
   * `full`: an acknowledgement survives a power cut. `os`: it survives the death of this process only.
   * @default full
   */
  durability?: 'full' | 'os'
  /**
   * Told of a file that is no readable message, once it has been tried `maxAttempts` times, a second apart. It is
   * dead then.
   * @default nobody is told
   */
  onDamaged?: (message: DamagedMessage) => void
}

/** Options of {@link InboxConsumer.messages}. */
export interface MessagesOptions {
  /** Ends the iteration when it fires. @default never */
  signal?: AbortSignal
}

/** Options of {@link InboxConsumer.next}. */
export interface NextOptions extends MessagesOptions {
  /** Milliseconds to wait for a message; Infinity for as long as it takes. @default 0 */
  waitMs?: number
}

/**
 * Takes messages out of an inbox to work on: the oldest first, new ones at once, each until it is acknowledged.
 * A message that was handed out and not acknowledged comes again when its lease has run out; so one may be
 * handled twice, and none is lost. Consumers of a group, also those of other processes, never have the same
 * message while its lease runs. The inbox may be filled by any program; what the inbox evicts, or another program
 * removes, is gone.
 */
export class InboxConsumer {
  /** Absolute path of the folder of messages. */
  readonly dir: string
  readonly group: string
  readonly #options: Required<Pick<ConsumerOptions, 'leaseMs' | 'maxAttempts' | 'remove'>>
  readonly #onDamaged: (message: DamagedMessage) => void
  readonly #leases: LeaseFolder
  /** Of the messages in the inbox. A number: when the message is to be looked at again. */
  readonly #known = new Map<string, 'ready' | 'done' | number>()
  /** Messages to be tried, each `ready`, or gone since. */
  readonly #ready = new Fifo<string>()
  readonly #bells = new Set<FolderBell>()
  #sweptAt = Number.NEGATIVE_INFINITY
  #lookedAt = 0

  private constructor(options: ConsumerOptions) {
    const { leaseMs = LIMITS.lease.value, maxAttempts = LIMITS.leaseAttempts.value } = options
    const { group = 'default', remove = false, onDamaged = () => {} } = options
    if (!/^[\w-][\w.-]{0,63}$/.test(group)) throw invalid('group', group, '1 to 64 of A-Z a-z 0-9 - _ .')
    checkMs('leaseMs', leaseMs, 1)
    if (!(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= MOST_ATTEMPTS)) {
      throw invalid('maxAttempts', maxAttempts, `a whole number from 1 to ${MOST_ATTEMPTS}`)
    }
    this.dir = resolve(options.dir ?? defaultInboxDir())
    this.group = group
    this.#options = { leaseMs, maxAttempts, remove }
    this.#onDamaged = onDamaged
    this.#leases = new LeaseFolder(this.dir, group, options.durability !== 'os')
  }

  /**
   * Opens an inbox for one consumer of a group. The folder is made where it is missing. Nothing has to be closed.
   *
   * @throws {PluginError} CONFIG_INVALID
   * @throws {MailboxError} STORE_FAILED where the folder cannot be used
   */
  static async open(options: ConsumerOptions = {}): Promise<InboxConsumer> {
    const consumer = new InboxConsumer(options)
    await consumer.#guard(() => consumer.#leases.open())
    return consumer
  }

  /**
   * Every message, one after the other, for as long as the iteration goes on. Each has to be acknowledged; several
   * may be at work at once. The end of the iteration gives no lease back.
   *
   * @throws {MailboxError} STORE_FAILED where the folder cannot be used
   */
  async *messages({ signal }: MessagesOptions = {}): AsyncGenerator<LeasedMessage, void, undefined> {
    const bell = this.#openBell()
    try {
      for (;;) {
        const message = await this.#guard(() => this.#await(bell, Number.POSITIVE_INFINITY, signal))
        if (message === undefined) return
        yield message
      }
    } finally {
      this.#closeBell(bell)
    }
  }

  /**
   * The next message, or undefined where there is none in time.
   *
   * @throws {MailboxError} STORE_FAILED where the folder cannot be used
   */
  async next({ waitMs = 0, signal }: NextOptions = {}): Promise<LeasedMessage | undefined> {
    const bell = this.#openBell()
    try {
      return await this.#guard(() => this.#await(bell, Date.now() + waitMs, signal))
    } finally {
      this.#closeBell(bell)
    }
  }

  /**
   * Acknowledges the message `id`, whoever has it; see {@link LeasedMessage.ack}. False where there is no such
   * message.
   *
   * @throws {MailboxError} STORE_FAILED
   */
  ack(id: string): Promise<boolean> {
    return this.#guard(async () => {
      const { attempt, dead, done } = await this.#leases.look(checkedId(id))
      if (attempt === 0 && !dead && !done && !(await this.#isMessage(id))) return false
      await this.#finish(id)
      return true
    })
  }

  /**
   * Gives the message `id` back, whoever has it: it comes again after `delayMs`. A dead one starts anew. False
   * where nobody has such a message.
   *
   * @throws {PluginError} CONFIG_INVALID where the delay is longer than 24 hours
   * @throws {MailboxError} STORE_FAILED
   */
  nack(id: string, delayMs = 0): Promise<boolean> {
    checkMs('delayMs', delayMs, 0)
    return this.#guard(async () => {
      const { attempt, dead, done } = await this.#leases.look(checkedId(id))
      if (done || (attempt === 0 && !dead)) return false
      if (dead) await this.#leases.revive(id)
      else await this.#move(id, attempt, Date.now() + delayMs)
      this.#lookedAt = 0
      this.#ring()
      return true
    })
  }

  /**
   * The messages that were handed out too often, oldest first. They stay in the inbox, for `nack` to start them
   * anew, or `ack` to be done with them.
   *
   * @throws {MailboxError} STORE_FAILED
   */
  dead(): Promise<(InboxMessage | DamagedMessage)[]> {
    return this.#guard(async () => {
      const states = await this.#leases.states()
      const messages: (InboxMessage | DamagedMessage)[] = []
      for (const id of await messageIds(this.dir)) {
        const { dead, done } = states.get(id) ?? {}
        const message = dead && !done ? await readMessage(this.dir, id) : undefined
        if (message !== undefined) messages.push(message)
      }
      return messages
    })
  }

  async #await(
    bell: FolderBell,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<LeasedMessage | undefined> {
    await this.#notice(bell.take())
    for (;;) {
      if (signal?.aborted) return undefined
      const message = await this.#take()
      if (message !== undefined) return message
      const ms = Math.min(deadline, this.#nextDue()) - Date.now()
      if (deadline <= Date.now()) return undefined
      await bell.rung({ signal, ...(Number.isFinite(ms) && { ms: Math.max(ms, 0) }) })
      await this.#notice(bell.take())
    }
  }

  /** The first of those that are ready which can be had. */
  async #take(): Promise<LeasedMessage | undefined> {
    for (let id = this.#ready.shift(); id !== undefined; id = this.#ready.shift()) {
      try {
        const message = await this.#claim(id)
        if (message !== undefined) return message
      } catch (error) {
        // It is looked at again, whatever it was.
        this.#known.set(id, Date.now())
        throw error
      }
    }
    return undefined
  }

  async #claim(id: string): Promise<LeasedMessage | undefined> {
    const { leaseMs, maxAttempts } = this.#options
    const state = await this.#leases.look(id)
    if (this.#settle(id, state) || state.until > Date.now()) return undefined
    if (state.attempt >= maxAttempts) {
      await this.#leases.bury(id, state.attempt)
      this.#known.set(id, Number.POSITIVE_INFINITY)
      return undefined
    }
    const attempt = state.attempt + 1
    const until = Date.now() + leaseMs
    if (!(await this.#leases.claim(id, attempt, until))) {
      this.#settle(id, await this.#leases.look(id))
      return undefined
    }
    this.#known.set(id, until)
    const message = await readMessage(this.dir, id)
    if (message === undefined) {
      this.#known.delete(id)
      await this.#leases.release(id, attempt)
      return undefined
    }
    if ('damaged' in message) {
      await this.#putOff(message, attempt)
      return undefined
    }
    const finish = () => this.#guard(() => this.#finish(id))
    const move = async (ms: number) => {
      checkMs('the time', ms, 0)
      const to = Date.now() + ms
      return (await this.#guard(() => this.#move(id, attempt, to))) ? to : undefined
    }
    return leasedMessage(message, { attempt, defaultMs: leaseMs, finish, move }, until)
  }

  /** Remembers what was seen of a message; true where nobody gets it. */
  #settle(id: string, { done, dead, until }: { done: boolean; dead: boolean; until: number }): boolean {
    this.#known.set(id, done ? 'done' : dead ? Number.POSITIVE_INFINITY : until)
    return done || dead
  }

  /** It may be half-written by another program, or this process out of descriptors: a damaged one is tried again. */
  async #putOff(message: DamagedMessage, attempt: number): Promise<void> {
    const { id } = message
    if (attempt >= this.#options.maxAttempts) {
      await this.#leases.bury(id, attempt)
      this.#known.set(id, Number.POSITIVE_INFINITY)
      this.#onDamaged(message)
    } else await this.#move(id, attempt, Date.now() + DAMAGED_AGAIN_MS)
  }

  async #finish(id: string): Promise<void> {
    if (this.#options.remove) {
      const path = this.#pathOf(id)
      await removeFile(path)
      do await this.#leases.syncRemoval([id])
      while (await removeFile(path))
      await this.#leases.clean(id)
      this.#known.delete(id)
      return
    }
    await this.#leases.finish(id)
    if (this.#known.has(id)) this.#known.set(id, 'done')
  }

  async #move(id: string, attempt: number, until: number): Promise<boolean> {
    const moved = await this.#leases.setUntil(id, attempt, until)
    if (moved && this.#known.has(id)) this.#known.set(id, until)
    // Others wait for the old time.
    this.#ring()
    return moved
  }

  async #notice({ names, list }: Changes): Promise<void> {
    if (list) await this.#list()
    else {
      for (const name of names.filter(isMessageName)) {
        const id = name.slice(0, -MESSAGE_SUFFIX.length)
        if (!this.#known.has(id) && (await this.#isMessage(id))) this.#enqueue(id)
      }
    }
    const now = Date.now()
    // Another process may have given a message back, or has acknowledged it.
    const all = now - this.#lookedAt >= LOOK_EVERY_MS || now < this.#lookedAt
    if (all) this.#lookedAt = now
    for (const [id, due] of this.#known) {
      if (typeof due !== 'number') continue
      if (all) this.#settle(id, await this.#leases.look(id))
      const current = this.#known.get(id)
      if (typeof current === 'number' && current <= now) this.#enqueue(id)
    }
  }

  async #list(): Promise<void> {
    const isSweep = performance.now() - this.#sweptAt >= SWEEP_EVERY_MS
    // Both before the messages: what is there of a message that is not there is of one that was removed, unless a power
    // cut has taken it and a service has still to write it again.
    const states = isSweep ? await this.#leases.states() : undefined
    const mayForget = isSweep && !(await isRecoveryDue(folderLayout(this.dir)))
    const ids = await messageIds(this.dir)
    const present = new Set(ids)
    for (const id of this.#known.keys()) if (!present.has(id)) this.#known.delete(id)
    for (const id of ids) {
      if (states?.get(id)?.done) this.#known.set(id, 'done')
      else if (!this.#known.has(id)) this.#enqueue(id)
    }
    if (states === undefined) return
    this.#sweptAt = performance.now()
    if (mayForget) await this.#leases.forget([...states.keys()].filter(id => !present.has(id)))
  }

  #enqueue(id: string): void {
    if (this.#known.get(id) === 'ready') return
    this.#known.set(id, 'ready')
    this.#ready.push(id)
  }

  #nextDue(): number {
    let next = Number.POSITIVE_INFINITY
    for (const due of this.#known.values()) if (typeof due === 'number' && due < next) next = due
    return next
  }

  #openBell(): FolderBell {
    const bell = new FolderBell(this.dir)
    this.#bells.add(bell)
    return bell
  }

  #closeBell(bell: FolderBell): void {
    bell.close()
    this.#bells.delete(bell)
  }

  #ring(): void {
    for (const bell of this.#bells) bell.ring('')
  }

  /** Whether there is a file, and no folder or link, under the name of the message `id`. */
  async #isMessage(id: string): Promise<boolean> {
    return lstat(this.#pathOf(id)).then(
      stats => stats.isFile(),
      () => false,
    )
  }

  #pathOf(id: string): string {
    return join(this.dir, `${id}${MESSAGE_SUFFIX}`)
  }

  async #guard<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new MailboxError('STORE_FAILED', `cannot use the inbox ${this.dir}: ${reason}`, { cause: error })
    }
  }
}

const MOST_ATTEMPTS = 1_000
/** How soon it is noticed that another process has given a message back. */
const LOOK_EVERY_MS = 2_000
/** How soon the state of messages that are gone is removed. */
const SWEEP_EVERY_MS = 60_000
const DAMAGED_AGAIN_MS = 1_000

function checkedId(id: string): string {
  if (id !== '' && !/[/\\\0]/.test(id)) return id
  throw invalid('id', id, 'the name of a message, as inbox lists it')
}

function checkMs(name: string, ms: number, least: number): void {
  const most = LIMITS.maxLease.value
  if (!(ms >= least && ms <= most)) throw invalid(name, ms, `${least} to ${most} ms`)
}

function invalid(name: string, value: unknown, form: string): PluginError {
  return new PluginError('CONFIG_INVALID', `${name} is ${JSON.stringify(value)}; it must be ${form}`)
}
