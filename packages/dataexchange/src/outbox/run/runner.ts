import { backoffMs } from '../../async/backoff.ts'
import { ResendingClient } from '../../client/resending-client.ts'
import type { FolderWatcher } from '../../disk/folder-watcher.ts'
import { NO_FILE, splitName } from '../entry/name.ts'
import { attempt } from './attempt.ts'
import { Backlog } from './backlog.ts'
import { DaemonWatch } from './daemon-watch.ts'
import type { Network } from './lazy-network.ts'
import { Outcomes, type OutcomesOptions } from './outcomes.ts'
import type { PeerQueue, QueuedEntry } from './peer-queue.ts'

/** Time after which a peer with more messages lets other peers go first. @limit ms */
const TURN_MS = 5_000

/** Options of {@link Runner}. */
export interface RunnerOptions extends OutcomesOptions {
  readonly watcher: FolderWatcher
  readonly driver: Network
  readonly peersAtOnce: number
  readonly maxFrameSize: number | undefined
  readonly answerTimeoutMs: number | undefined
}

/** Sends the entries of an outbox while it runs. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #backlog: Backlog
  readonly #daemon: DaemonWatch
  readonly #outcomes: Outcomes
  readonly #serving = new Set<Promise<void>>()
  /** Number of served peers that failed the last time. */
  #failing = 0
  #stopped = false

  constructor(options: RunnerOptions) {
    const { store, backoff, logger } = options
    this.#options = options
    this.#backlog = new Backlog(store, logger, (seen, error) => this.#outcomes.broken(seen, error))
    this.#daemon = new DaemonWatch(backoff, logger, () => this.wake())
    this.#outcomes = new Outcomes(options, this.#backlog, this.#daemon)
  }

  /** Runs until `signal` fires or, with `untilEmpty`, until every entry is delivered or has failed. */
  async run(signal: AbortSignal, untilEmpty: boolean): Promise<void> {
    const { watcher, store, logger } = this.#options
    const stop = () => {
      this.#stopped = true
      watcher.notify(NO_FILE)
    }
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    let mustLook = false
    let nextLook = 0
    try {
      while (!this.#stopped) {
        const { names, list } = watcher.take()
        mustLook ||= list || names.some(name => splitName(name) !== undefined)
        if (mustLook && performance.now() >= nextLook) {
          try {
            nextLook = await this.#list()
            mustLook = false
          } catch (error) {
            logger.error({ err: error }, 'the outbox cannot be read or written')
            nextLook = performance.now() + PAUSE_AFTER_ERROR_MS
          }
        }
        const now = Date.now()
        this.#serveDue(now)
        const isEmpty = this.#backlog.size === 0 && !this.#backlog.isIncomplete
        if (untilEmpty && isEmpty && !mustLook) return
        const lookIn = mustLook ? nextLook - performance.now() : this.#backlog.expiresAt - now
        const ms = Math.min(lookIn, this.#nextAt(now) - now, LONGEST_WAIT_MS)
        await watcher.changed({ ms: Math.max(0, ms) })
        mustLook ||= this.#backlog.expiresAt <= Date.now()
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.#stopped = true
      this.#backlog.abort()
      await Promise.all(this.#serving)
      await store.sync().catch(() => undefined)
    }
  }

  /** Tries the peer with this address soon, and peers that were never resolved; without an address, all peers now. */
  wake(address?: string): void {
    const { watcher } = this.#options
    for (const queue of this.#backlog.queues.values()) {
      if (address === undefined) queue.retryNow()
      else if ((queue.address ?? address) !== address || !queue.markReachable()) continue
      watcher.notify(NO_FILE)
    }
  }

  /** Reads changes of the folder and fails expired entries. Resolves with the earliest time for the next listing. */
  async #list(): Promise<number> {
    const startedAt = performance.now()
    await this.#backlog.refresh()
    for (const entry of this.#backlog.expired(Date.now())) await this.#outcomes.expired(entry)
    // Listing a full outbox is slow: spend at most a tenth of the time on it.
    const took = performance.now() - startedAt
    return startedAt + took + Math.max(LOOK_PAUSE_MS, took * 9)
  }

  /** Serves due peers: those that did not fail last time first, then the longest waiting. */
  #serveDue(now: number): void {
    if (this.#daemon.isAway && (this.#daemon.nextAt > now || this.#serving.size > 0)) return
    const atOnce = this.#daemon.isAway ? 1 : this.#options.peersAtOnce
    if (this.#serving.size >= atOnce) return
    const due = [...this.#backlog.queues.values()]
      .filter(queue => !queue.active && queue.next(now) !== undefined)
      .sort((a, b) => a.failures - b.failures || a.dueAt - b.dueAt)
    for (const queue of due) {
      if (this.#serving.size >= atOnce) return
      // An unreachable peer takes its whole timeout: reachable peers must not wait for it.
      if (queue.failures > 0 && this.#failing >= Math.max(1, atOnce / 2)) return
      this.#start(queue)
    }
  }

  #start(queue: PeerQueue): void {
    queue.active = true
    const failing = queue.failures > 0 ? 1 : 0
    this.#failing += failing
    const serving = this.#serve(queue).finally(() => {
      this.#failing -= failing
      this.#serving.delete(serving)
      this.#backlog.release(queue)
      this.#options.watcher.notify(NO_FILE)
    })
    this.#serving.add(serving)
  }

  /** Sends to one peer, entry by entry, until none is due, one fails, or its turn is over. */
  async #serve(queue: PeerQueue): Promise<void> {
    const { backoff, logger, peersAtOnce, driver, maxFrameSize } = this.#options
    const turnEndsAt = performance.now() + TURN_MS
    let client: ResendingClient | undefined
    try {
      for (;;) {
        const entry = queue.next(Date.now())
        if (entry === undefined || this.#stopped) return
        if (performance.now() > turnEndsAt && this.#serving.size >= peersAtOnce) {
          queue.dueAt = Date.now()
          return
        }
        // The next try comes from the backoff, which counts lost answers too.
        client ??= new ResendingClient(driver, entry.target, { maxFrameSize, resend: false })
        if (!(await this.#try(queue, entry, client))) return
      }
    } catch (error) {
      // The folder of the outbox fails: it is not safe to send.
      logger.error({ err: error, peer: queue.key }, 'the outbox cannot be written')
      queue.failures++
      queue.dueAt = Date.now() + backoffMs(queue.failures, backoff)
    } finally {
      await client?.close()
    }
  }

  /** Resolves with whether the entry was delivered. */
  async #try(queue: PeerQueue, entry: QueuedEntry, client: ResendingClient): Promise<boolean> {
    const { store, driver, maxFrameSize, answerTimeoutMs } = this.#options
    const before = entry.state
    const sending = new AbortController()
    entry.sending = sending
    try {
      const said = await attempt(queue, entry, client, {
        dir: store.dir,
        driver,
        maxFrameSize,
        answerTimeoutMs,
        signal: sending.signal,
        begin: () => this.#outcomes.begin(entry),
      })
      await this.#outcomes.delivered(queue, entry, said)
      return true
    } catch (error) {
      // Before the next try, which may come at once.
      await client.close()
      await this.#outcomes.failed(queue, entry, error, before)
      return false
    } finally {
      entry.sending = undefined
    }
  }

  /** Time when the next peer is due after `now`, ms since the Unix epoch. */
  #nextAt(now: number): number {
    // The end of a served peer notifies the watcher.
    const isWaitedFor = this.#daemon.isAway
      ? this.#serving.size > 0
      : this.#serving.size >= this.#options.peersAtOnce
    if (isWaitedFor) return Number.POSITIVE_INFINITY
    if (this.#daemon.isAway && this.#daemon.nextAt > now) return this.#daemon.nextAt
    let next = Number.POSITIVE_INFINITY
    for (const queue of this.#backlog.queues.values()) {
      if (queue.active) continue
      const at = queue.nextAt()
      // A peer that is due waits for a slot, not for a time.
      if (at > now) next = Math.min(next, at)
    }
    return next
  }
}

/** Pause between two listings of a folder that changes all the time. */
const LOOK_PAUSE_MS = 20
const PAUSE_AFTER_ERROR_MS = 2_000
const LONGEST_WAIT_MS = 60_000
