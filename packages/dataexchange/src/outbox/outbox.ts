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
  /** Messages that it may hold. @default 100,000 */
  maxEntries?: number | undefined
  /** Bytes that it may hold. @default 1 GiB */
  maxBytes?: number | undefined
  /** Bytes of the largest frame. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
}

/** Options of {@link Outbox.run}. */
export interface RunOptions {
  /**
   * Finds and reaches peers; or connects to what does, which is asked for when there is something to send, and
   * again while that fails: `() => Driver.connect()`.
   */
  driver: Network | (() => Promise<Network>)
  /** Ends the run; what is being sent is given up and stays. */
  signal?: AbortSignal | undefined
  /** Ends the run when nothing is left to be tried. @default false */
  untilEmpty?: boolean | undefined
  /** Told of `outbox.delivered` and `outbox.failed`, as an EventBus is. @default nobody */
  events?: { publish<T extends keyof OutboxEvents>(topic: T, payload: OutboxEvents[T]): void } | undefined
  /** @default says nothing */
  logger?: Logger | undefined
  /** Milliseconds before the second try to reach a peer. @default 1,000 */
  retryMin?: number | undefined
  /** Longest time between two tries to reach a peer, in milliseconds. @default 5 minutes */
  retryMax?: number | undefined
  /** Peers that are sent to at once. @default 16 */
  peersAtOnce?: number | undefined
  /** Milliseconds to wait for an answer. @default 30,000 */
  timeoutMs?: number | undefined
}

/** How much an outbox holds. */
export interface OutboxCounts {
  /** Entries that are still to be delivered. */
  queued: number
  /** Entries that are not tried any more. */
  failed: number
  /** Of all entries. */
  bytes: number
  /** Whether a process runs it. */
  running: boolean
}

/**
 * Messages that wait on the disk until their peer can be reached. Any number of processes may add to one outbox
 * and look at it, whether or not somebody runs it; one of them at a time sends.
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
   * Opens an outbox. Its folder is made, mode 0700, when the first message is added, or when it is run.
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
   * Adds a message for `target`: an address, a node id or a hostname, which is resolved when it is sent. Resolves
   * with the message's id once the message is durable; where it rejects, nothing was added. Messages to one
   * target are sent in the order of the calls. No daemon is needed.
   *
   * @throws {OutboxError} OUTBOX_FULL, OUTBOX_FAILED; OUTBOX_DUPLICATE where a message with this `messageId` is
   * there already
   * @throws {AddressError} for what looks like an address and is none
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID
   * @throws {DeliveryError} SOURCE_UNREADABLE; SOURCE_CHANGED for a file that changes while it is read
   * @throws {PluginError} CONFIG_INVALID for a value that is no message, a trace, and an `expiresIn` that is no time
   */
  async add(target: Address | string, message: Message, options: AddOptions = {}): Promise<string> {
    const id = await explained(() => this.#adder.add(target.toString(), message, options))
    this.#watcher?.notify()
    return id
  }

  /** The entries, those that were added first at the front. Payloads are not read. */
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

  /** How much it holds, by one look at the folder. */
  async counts(): Promise<OutboxCounts> {
    return explained(async () => {
      const [seen, running] = await Promise.all([this.#list(), isRunning(this.dir)])
      const failed = seen.filter(({ hasFailed }) => hasFailed).length
      const bytes = seen.reduce((sum, entry) => sum + entry.bytes, 0)
      return { queued: seen.length - failed, failed, bytes, running }
    })
  }

  /**
   * Has a message tried at once; one that has failed is queued again, for as long as it was meant to be tried.
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
   * Removes a message, in whatever state it is; one that is being sent is given up. Resolves when that is
   * durable, with whether the peer may have it all the same: true as soon as a try has begun to write it.
   *
   * @throws {OutboxError} OUTBOX_UNKNOWN: it has been delivered, or was removed; OUTBOX_FAILED
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

  /** Removes all messages that have failed, and resolves with how many that were. */
  async clearFailed(): Promise<number> {
    return explained(async () => {
      const failed = (await this.#list()).filter(({ hasFailed }) => hasFailed)
      for (const { stem } of failed) await this.#store.remove(stem)
      if (failed.length > 0) await this.#store.sync()
      return failed.length
    })
  }

  /**
   * Sends what the outbox holds and what is added, by any process, until the signal fires. Where another process
   * runs it already, waits until that one has ended, however it ends, and takes over at once.
   *
   * A peer that is not reached is tried again after 1 s, then after twice the time, up to 5 minutes; all that is
   * for it waits in its order. A message that a peer refuses is tried again in the same way; after five
   * refusals it no longer keeps those behind it waiting. What can never be delivered, and what has expired, is
   * listed as failed, with the reason.
   *
   * @throws {PluginError} CONFIG_INVALID where the lock cannot be made, as in a folder with a path of over 90
   * bytes, and where this object runs already
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
   * Where this object runs: tries the peer with this address, since there is a sign that it can be reached: at once,
   * or a second after the last try. Changes nothing for a peer that refused.
   *
   * @param address as text; all peers at once where there is none
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
    const { driver, events, logger = silentLogger, retryMin, retryMax, peersAtOnce, timeoutMs } = options
    return {
      store: this.#store,
      driver: typeof driver === 'function' ? new LazyNetwork(driver) : driver,
      logger,
      publish: (topic, payload) => events?.publish(topic, payload),
      backoff: {
        min: configuredLimit(retryMin, LIMITS.outboxRetryMin),
        max: configuredLimit(retryMax, LIMITS.outboxRetryMax),
      },
      peersAtOnce: configuredLimit(peersAtOnce, LIMITS.outboxPeersAtOnce),
      maxFrameSize: this.#maxFrameSize,
      timeoutMs,
    }
  }
}

const READS_AT_ONCE = 16

function unknown(id: string): OutboxError {
  return new OutboxError('OUTBOX_UNKNOWN', `the outbox has no message ${id}: it was delivered or removed`)
}

/** What the file system says becomes an error of the outbox. */
async function explained<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    const code = systemCode(cause)
    if (code === undefined || cause instanceof PilotError) throw cause
    throw new OutboxError('OUTBOX_FAILED', `the outbox cannot be read or written: ${code}`, { cause })
  }
}
