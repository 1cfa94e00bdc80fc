import { resolve } from 'node:path'
import { FolderWatcher } from '../../disk/folder-watcher.ts'
import { removeFile } from '../../disk/if-exists.ts'
import { MailboxError } from '../../errors.ts'
import { systemCode } from '../../system-errors.ts'
import {
  type DamagedMessage,
  type InboxMessage,
  isMessage,
  messageIds,
  messagePath,
  readMessage,
} from '../inbox/read.ts'
import { defaultInboxDir } from '../layout.ts'
import {
  type CheckedOptions,
  type ConsumerOptions,
  checkId,
  checkMs,
  checkOptions,
  type MessagesOptions,
  type NextOptions,
} from './consumer-options.ts'
import { LeaseFolder } from './lease-folder.ts'
import { type Lease, type LeasedMessage, leasedMessage } from './leased-message.ts'
import { ReadyQueue } from './ready-queue.ts'

/**
 * Takes messages out of an inbox, at least once each: the oldest first, new ones as they arrive. A message is leased
 * to one consumer of the group at a time, also across processes. If its lease expires before it is acknowledged, the
 * message is handed out again; after `maxAttempts` it is a dead letter. Any program may write to the inbox. Messages
 * that the inbox evicts, or that another program removes, are not handed out any more. A consumer holds no resources
 * between calls, so there is nothing to close.
 *
 * @example
 * for await (const message of consumer.messages()) {
 *   await handle(message.payload())
 *   await message.ack()
 * }
 */
export class InboxConsumer {
  /** Absolute path of the folder of messages. */
  readonly dir: string
  /** Name of the group. */
  readonly group: string
  readonly #options: CheckedOptions
  readonly #onDamaged: (message: DamagedMessage) => void
  readonly #leases: LeaseFolder
  readonly #queue: ReadyQueue
  /** One for each wait that is under way. */
  readonly #watchers = new Set<FolderWatcher>()

  private constructor(options: ConsumerOptions) {
    this.#options = checkOptions(options)
    this.dir = resolve(options.dir ?? defaultInboxDir())
    this.group = this.#options.group
    this.#onDamaged = options.onDamaged ?? (() => {})
    this.#leases = new LeaseFolder(this.dir, this.group, options.durability !== 'os')
    this.#queue = new ReadyQueue(this.dir, this.#leases)
  }

  /**
   * Opens an inbox for one consumer of a group. Creates the folder if it is missing.
   *
   * @throws {PluginError} CONFIG_INVALID
   * @throws {MailboxError} STORE_FAILED if the folder cannot be used
   */
  static async open(options: ConsumerOptions = {}): Promise<InboxConsumer> {
    const consumer = new InboxConsumer(options)
    await consumer.#run(() => consumer.#leases.open())
    return consumer
  }

  /**
   * Yields messages, and waits for new ones, until `signal` fires. Each message has to be acknowledged; several may be
   * in work at once. The end of the iteration does not end the leases of messages that were yielded.
   *
   * @throws {MailboxError} STORE_FAILED if the folder cannot be used
   */
  async *messages({ signal }: MessagesOptions = {}): AsyncGenerator<LeasedMessage, void, undefined> {
    const watcher = this.#openWatcher()
    try {
      for (;;) {
        const message = await this.#run(() => this.#next(watcher, Number.POSITIVE_INFINITY, signal))
        if (message === undefined) return
        yield message
      }
    } finally {
      this.#closeWatcher(watcher)
    }
  }

  /**
   * Takes the next message. Resolves with undefined if none comes within `waitMs`, or when `signal` fires.
   *
   * @throws {MailboxError} STORE_FAILED if the folder cannot be used
   */
  async next({ waitMs = 0, signal }: NextOptions = {}): Promise<LeasedMessage | undefined> {
    const watcher = this.#openWatcher()
    try {
      return await this.#run(() => this.#next(watcher, Date.now() + waitMs, signal))
    } finally {
      this.#closeWatcher(watcher)
    }
  }

  /**
   * Acknowledges the message `id`, whichever consumer of the group has it; see {@link LeasedMessage.ack}. Resolves
   * with false if there is no such message.
   *
   * @throws {PluginError} CONFIG_INVALID if `id` cannot be an id
   * @throws {MailboxError} STORE_FAILED
   */
  ack(id: string): Promise<boolean> {
    return this.#run(async () => {
      const { attempt, dead, done } = await this.#leases.read(checkId(id))
      if (attempt === 0 && !dead && !done && !(await isMessage(this.dir, id))) return false
      await this.#acknowledge(id)
      return true
    })
  }

  /**
   * Gives the message `id` back, whichever consumer of the group has it: it is handed out again after `delayMs`. A dead
   * letter starts again with its first attempt. Resolves with false if the message has no lease and is not dead.
   *
   * @param delayMs milliseconds, at most 24 hours. @default 0
   * @throws {PluginError} CONFIG_INVALID if `id` cannot be an id, or the delay is too long
   * @throws {MailboxError} STORE_FAILED
   */
  nack(id: string, delayMs = 0): Promise<boolean> {
    return this.#run(async () => {
      checkMs('delayMs', delayMs, 0)
      const { attempt, dead, done } = await this.#leases.read(checkId(id))
      if (done || (attempt === 0 && !dead)) return false
      if (dead) await this.#leases.revive(id)
      else await this.#moveExpiry(id, attempt, Date.now() + delayMs)
      this.#queue.readAgain()
      this.#wakeWaiting()
      return true
    })
  }

  /**
   * Lists the dead letters of the group, oldest first: messages that were handed out `maxAttempts` times and never
   * acknowledged. They stay in the inbox. `nack` starts one again, `ack` is the end of it.
   *
   * @throws {MailboxError} STORE_FAILED
   */
  dead(): Promise<(InboxMessage | DamagedMessage)[]> {
    return this.#run(async () => {
      const states = await this.#leases.readAll()
      const messages: (InboxMessage | DamagedMessage)[] = []
      for (const id of await messageIds(this.dir)) {
        const { dead, done } = states.get(id) ?? {}
        const message = dead && !done ? await readMessage(this.dir, id) : undefined
        if (message !== undefined) messages.push(message)
      }
      return messages
    })
  }

  async #next(
    watcher: FolderWatcher,
    deadline: number,
    signal?: AbortSignal,
  ): Promise<LeasedMessage | undefined> {
    await this.#queue.refresh(watcher.take())
    for (;;) {
      if (signal?.aborted) return undefined
      const message = await this.#leaseFirst()
      if (message !== undefined) return message
      const ms = Math.min(deadline, this.#queue.nextDue) - Date.now()
      if (deadline <= Date.now()) return undefined
      await watcher.changed({ signal, ...(Number.isFinite(ms) && { ms: Math.max(ms, 0) }) })
      await this.#queue.refresh(watcher.take())
    }
  }

  /** Leases the first ready message that nobody else gets first. */
  async #leaseFirst(): Promise<LeasedMessage | undefined> {
    for (let id = this.#queue.shift(); id !== undefined; id = this.#queue.shift()) {
      try {
        const message = await this.#lease(id)
        if (message !== undefined) return message
      } catch (error) {
        // The message has left the queue, so it must become due again.
        this.#queue.set(id, Date.now())
        throw error
      }
    }
    return undefined
  }

  /** Leases the message `id`; resolves with undefined if it cannot be had now. */
  async #lease(id: string): Promise<LeasedMessage | undefined> {
    const { leaseMs, maxAttempts } = this.#options
    const state = await this.#leases.read(id)
    this.#queue.setFrom(id, state)
    if (state.done || state.dead || state.until > Date.now()) return undefined
    if (state.attempt >= maxAttempts) {
      await this.#setDead(id, state.attempt)
      return undefined
    }
    const attempt = state.attempt + 1
    const until = Date.now() + leaseMs
    if (!(await this.#leases.acquire(id, attempt, until))) {
      this.#queue.setFrom(id, await this.#leases.read(id))
      return undefined
    }
    this.#queue.set(id, until)
    const message = await readMessage(this.dir, id)
    if (message !== undefined && !('damaged' in message)) {
      return leasedMessage(message, this.#leaseOf(id, attempt), until)
    }
    if (message !== undefined) await this.#retryDamaged(message, attempt)
    else {
      this.#queue.delete(id)
      await this.#leases.release(id, attempt)
    }
    return undefined
  }

  #leaseOf(id: string, attempt: number): Lease {
    return {
      attempt,
      defaultMs: this.#options.leaseMs,
      acknowledge: () => this.#run(() => this.#acknowledge(id)),
      expireIn: async ms => {
        checkMs('the time', ms, 0)
        const until = Date.now() + ms
        return (await this.#run(() => this.#moveExpiry(id, attempt, until))) ? until : undefined
      },
    }
  }

  /** Tries a damaged message again: another program may still be writing it, or this process has no descriptors left. */
  async #retryDamaged(message: DamagedMessage, attempt: number): Promise<void> {
    if (attempt >= this.#options.maxAttempts) {
      await this.#setDead(message.id, attempt)
      this.#onDamaged(message)
    } else await this.#moveExpiry(message.id, attempt, Date.now() + DAMAGED_RETRY_MS)
  }

  async #setDead(id: string, attempt: number): Promise<void> {
    await this.#leases.setDead(id, attempt)
    this.#queue.set(id, Number.POSITIVE_INFINITY)
  }

  async #acknowledge(id: string): Promise<void> {
    if (!this.#options.remove) {
      await this.#leases.setDone(id)
      this.#queue.update(id, 'done')
      return
    }
    const path = messagePath(this.dir, id)
    await removeFile(path)
    // A recovery may write the message again until its tombstone is durable.
    do await this.#leases.syncRemoval([id])
    while (await removeFile(path))
    await this.#leases.removeLeases(id)
    this.#queue.delete(id)
  }

  async #moveExpiry(id: string, attempt: number, until: number): Promise<boolean> {
    const isMoved = await this.#leases.setUntil(id, attempt, until)
    if (isMoved) this.#queue.update(id, until)
    // Waits that are under way still wait for the old time.
    this.#wakeWaiting()
    return isMoved
  }

  #openWatcher(): FolderWatcher {
    const watcher = new FolderWatcher(this.dir)
    this.#watchers.add(watcher)
    return watcher
  }

  #closeWatcher(watcher: FolderWatcher): void {
    watcher.close()
    this.#watchers.delete(watcher)
  }

  #wakeWaiting(): void {
    for (const watcher of this.#watchers) watcher.notify('')
  }

  /** Runs `work`, and turns errors of the file system into a MailboxError. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      const reason = error instanceof Error ? error.message : String(error)
      throw new MailboxError('STORE_FAILED', `cannot use the inbox ${this.dir}: ${reason}`, { cause: error })
    }
  }
}

const DAMAGED_RETRY_MS = 1_000
