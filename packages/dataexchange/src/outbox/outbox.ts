import { join, resolve } from 'node:path'
import { Semaphore } from '../async/semaphore.ts'
import type { Message } from '../client/outgoing.ts'
import { FolderWatcher } from '../disk/folder-watcher.ts'
import { OutboxError, PilotError, PluginError } from '../errors.ts'
import { defaultHome } from '../home.ts'
import { configuredLimit, LIMITS } from '../limits.ts'
import { type Logger, silentLogger } from '../logger.ts'
import type { Address } from '../pilot/address.ts'
import { systemCode } from '../system-errors.ts'
import { Adder, type AddOptions } from './add/adder.ts'
import { describeEntry, type OutboxEntry } from './entry/describe-entry.ts'
import { EntryStore, type StoredEntry } from './entry/store.ts'
import type { OutboxEvents } from './outbox-events.ts'
import { LazyNetwork, type Network } from './run/lazy-network.ts'
import { Runner, type RunnerOptions } from './run/runner.ts'
import { isRunning, waitForLock } from './run/runner-lock.ts'

/** Options of {@link Outbox.open}. Limits: zero means the default, a negative value off. */
export interface OutboxOptions {
  /** The folder. @default `outbox` in {@link defaultHome}, that is ~/.pilot/outbox */
  dir?: string | undefined
  /** Most messages. @default 100,000 */
  maxEntries?: number | undefined
  /** Most bytes. @default 1 GiB */
  maxBytes?: number | undefined
  /** Bytes of the largest frame. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
}

/** Options of {@link Outbox.run}. */
export interface RunOptions {
  /**
   * Resolves and dials peers; or a function that connects such a driver, called when there is a message to send and again
   * while it fails: `() => Driver.connect()`.
   */
  driver: Network | (() => Promise<Network>)
  /** Ends the run. Deliveries in flight are aborted, and their messages stay. */
  signal?: AbortSignal | undefined
  /** Whether to end the run when every message is delivered or has failed. @default false */
  untilEmpty?: boolean | undefined
  /** Receives `outbox.delivered` and `outbox.failed`, such as an EventBus. @default none */
  events?: { publish<T extends keyof OutboxEvents>(topic: T, payload: OutboxEvents[T]): void } | undefined
  /** @default no log */
  logger?: Logger | undefined
  /** Milliseconds before the second try to reach a peer. @default 1,000 */
  retryMinMs?: number | undefined
  /** Longest time between two tries to reach a peer, in milliseconds. @default 5 minutes */
  retryMaxMs?: number | undefined
  /** Peers served at once. @default 16 */
  peersAtOnce?: number | undefined
  /** Milliseconds for the answer to a message. @default 30,000 */
  answerTimeoutMs?: number | undefined
}

/** Numbers of an outbox. */
export interface OutboxCounts {
  /** Messages to deliver. */
  queued: number
  /** Messages that have failed. */
  failed: number
  /** Bytes of all messages. */
  size: number
  /** Whether a process runs the outbox. */
  running: boolean
}

/**
 * Messages that wait on the disk until their peer can be reached. Any number of processes may add to one outbox and list it,
 * whether or not it runs. One process at a time runs it, that is, sends.
 */
export class Outbox {
  /** The folder. */
  readonly dir: string
  readonly #store: EntryStore
  readonly #adder: Adder
  readonly #maxFrameSize: number | undefined
  #isRun = false
  #watcher: FolderWatcher | undefined
  #runner: Runner | undefined

  private constructor(store: EntryStore, lastSeq: number, options: OutboxOptions) {
    this.dir = store.dir
    this.#store = store
    this.#maxFrameSize = options.maxFrameSize
    const maxEntries = configuredLimit(options.maxEntries, LIMITS.outboxMaxEntries)
    const maxBytes = configuredLimit(options.maxBytes, LIMITS.outboxMaxBytes)
    this.#adder = new Adder(store, { maxEntries, maxBytes, maxFrameSize: options.maxFrameSize }, lastSeq)
  }

  /**
   * Opens an outbox. The folder is created with mode 0700 by the first `add()` or `run()`.
   *
   * @throws {OutboxError} OUTBOX_FAILED
   */
  static async open(options: OutboxOptions = {}): Promise<Outbox> {
    const store = new EntryStore(resolve(options.dir ?? join(defaultHome(), 'outbox')))
    return explained(async () => {
      const { entries } = await store.list()
      return new Outbox(store, entries.at(-1)?.seq ?? 0, options)
    })
  }

  /**
   * Adds a message for `target`: an address, a node id or a hostname, which is resolved when the message is sent. Resolves
   * with the message's id when the message is durable on this machine; if it rejects, nothing was added. Messages to one
   * target are sent in the order of the calls. Needs no daemon.
   *
   * @throws {OutboxError} OUTBOX_FULL, OUTBOX_FAILED; OUTBOX_DUPLICATE if the outbox has a message with this
   * `messageId`
   * @throws {AddressError} ADDRESS_INVALID as of `parseTarget`
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID
   * @throws {DeliveryError} SOURCE_UNREADABLE; SOURCE_CHANGED for a file that changes while it is read
   * @throws {PluginError} CONFIG_INVALID for a value that is not a message, for a trace, and for an invalid `expiresInMs`
   */
  async add(target: Address | string, message: Message, options: AddOptions = {}): Promise<string> {
    const id = await explained(() => this.#adder.add(target.toString(), message, options))
    this.#watcher?.notify()
    return id
  }

  /** The messages, oldest first, without their payloads. */
  async list(): Promise<OutboxEntry[]> {
    return explained(async () => {
      const [seen, running] = await Promise.all([this.#list(), isRunning(this.dir)])
      const slots = new Semaphore(READS_AT_ONCE)
      const entries = await Promise.all(
        seen.map(entry => slots.run('', () => describeEntry(this.#store, entry, running))),
      )
      return entries.filter(entry => entry !== undefined)
    })
  }

  /** Counts messages and bytes. Lists the folder once. */
  async counts(): Promise<OutboxCounts> {
    return explained(async () => {
      const [seen, running] = await Promise.all([this.#list(), isRunning(this.dir)])
      const failed = seen.filter(({ hasFailed }) => hasFailed).length
      const size = seen.reduce((sum, entry) => sum + entry.bytes, 0)
      return { queued: seen.length - failed, failed, size, running }
    })
  }

  /**
   * Makes a message due at once. A failed message is queued again, with its whole time to live. Resolves when that is durable.
   *
   * @throws {OutboxError} OUTBOX_UNKNOWN, OUTBOX_FAILED
   */
  async retry(id: string): Promise<void> {
    await explained(async () => {
      const { stem, hasFailed } = await this.#find(id)
      await this.#store.renew(stem, hasFailed).catch(error => {
        throw systemCode(error) === 'ENOENT' ? unknown(id) : error
      })
    })
    this.#watcher?.notify()
  }

  /**
   * Removes a message in any state; a delivery in flight is aborted. Resolves when the removal is durable. `maybeStored` is
   * true if a try has begun to write the message: then the peer may have it.
   *
   * @throws {OutboxError} OUTBOX_UNKNOWN if it was delivered or removed; OUTBOX_FAILED
   */
  async cancel(id: string): Promise<{ maybeStored: boolean }> {
    return explained(async () => {
      const { stem } = await this.#find(id)
      const maybeStored = await this.#store.take(stem)
      if (maybeStored === undefined) throw unknown(id)
      await this.#store.sync()
      this.#watcher?.notify()
      return { maybeStored }
    })
  }

  /** Removes all failed messages. Resolves with their number when that is durable. */
  async clearFailed(): Promise<number> {
    return explained(async () => {
      const failed = (await this.#list()).filter(({ hasFailed }) => hasFailed)
      for (const { stem } of failed) await this.#store.remove(stem)
      if (failed.length > 0) await this.#store.sync()
      return failed.length
    })
  }

  /**
   * Sends the messages of the outbox, also those that any process adds, until the signal fires. Resolves at the end of the
   * run, also after an abort. If another process runs the outbox, waits for its end and takes over at once.
   *
   * A peer that is not reached is tried again with backoff, from 1 s to 5 minutes; its messages wait in order. A refused
   * message is tried again in the same way; after five refusals it does not block the messages behind it. A message that
   * can never be delivered, or has expired, is listed as failed, with the reason.
   *
   * @throws {PluginError} CONFIG_INVALID if the lock cannot be created, such as in a folder with a path over 90 bytes, and
   * if this object runs already
   * @throws {OutboxError} OUTBOX_FAILED
   */
  async run(options: RunOptions): Promise<void> {
    if (this.#isRun) throw new PluginError('CONFIG_INVALID', 'this outbox is being run already')
    this.#isRun = true
    try {
      await explained(() => this.#run(options))
    } finally {
      this.#isRun = false
    }
  }

  /**
   * Call it on a sign that a peer is reachable. A running outbox then tries the peer at once, or a second after the last
   * try. Has no effect on a peer that refused.
   *
   * @param address the text of the peer's address. @default all peers
   */
  wake(address?: string): void {
    this.#runner?.wake(address)
  }

  async #run(options: RunOptions): Promise<void> {
    const { signal = new AbortController().signal, untilEmpty = false } = options
    await this.#store.make()
    const watcher = new FolderWatcher(this.dir)
    this.#watcher = watcher
    try {
      const isDone = async () => untilEmpty && (await this.counts()).queued === 0
      const lock = await waitForLock(this.dir, { watcher, signal, isDone })
      if (lock === undefined) return
      try {
        await this.#store.sweep()
        this.#runner = new Runner({ ...this.#runnerOptions(options), watcher })
        await this.#runner.run(signal, untilEmpty)
      } finally {
        this.#runner = undefined
        await lock.release()
      }
    } finally {
      this.#watcher = undefined
      watcher.close()
    }
  }

  async #list(): Promise<readonly StoredEntry[]> {
    return (await this.#store.list()).entries
  }

  async #find(id: string): Promise<StoredEntry> {
    const found = (await this.#list()).find(entry => entry.id === id)
    if (found === undefined) throw unknown(id)
    return found
  }

  #runnerOptions(options: RunOptions): Omit<RunnerOptions, 'watcher'> {
    const {
      driver,
      events,
      logger = silentLogger,
      retryMinMs,
      retryMaxMs,
      peersAtOnce,
      answerTimeoutMs,
    } = options
    return {
      store: this.#store,
      driver: typeof driver === 'function' ? new LazyNetwork(driver) : driver,
      logger,
      publish: (topic, payload) => events?.publish(topic, payload),
      backoff: {
        min: configuredLimit(retryMinMs, LIMITS.outboxRetryMin),
        max: configuredLimit(retryMaxMs, LIMITS.outboxRetryMax),
      },
      peersAtOnce: configuredLimit(peersAtOnce, LIMITS.outboxPeersAtOnce),
      maxFrameSize: this.#maxFrameSize,
      answerTimeoutMs,
    }
  }
}

const READS_AT_ONCE = 16

function unknown(id: string): OutboxError {
  return new OutboxError('OUTBOX_UNKNOWN', `the outbox has no message ${id}: it was delivered or removed`)
}

/** Turns system errors into OUTBOX_FAILED. */
async function explained<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    const code = systemCode(cause)
    if (code === undefined || cause instanceof PilotError) throw cause
    throw new OutboxError('OUTBOX_FAILED', `the outbox cannot be read or written: ${code}`, { cause })
  }
}
