import { type Backoff, backoffMs } from '../../async/backoff.ts'
import type { Logger } from '../../logger.ts'
import { type EntryState, FRESH } from '../entry/state.ts'
import type { EntryStore, StoredEntry } from '../entry/store.ts'
import { expiredError, type OutboxEvents, type Publish } from '../outbox-events.ts'
import type { Backlog } from './backlog.ts'
import type { DaemonWatch } from './daemon-watch.ts'
import type { PeerQueue, QueuedEntry } from './peer-queue.ts'
import type { Delivered } from './send-entry.ts'
import { tryError, verdictOf } from './verdict.ts'

/** Options of {@link Outcomes}. */
export interface OutcomesOptions {
  readonly store: EntryStore
  readonly logger: Logger
  readonly publish: Publish
  readonly backoff: Backoff
}

/** Applies the outcomes of tries: on the disk, in memory, and as events. */
export class Outcomes {
  readonly #options: OutcomesOptions
  readonly #backlog: Backlog
  readonly #daemon: DaemonWatch

  constructor(options: OutcomesOptions, backlog: Backlog, daemon: DaemonWatch) {
    this.#options = options
    this.#backlog = backlog
    this.#daemon = daemon
  }

  /**
   * Records the start of a try, before the entry is opened: an entry that is removed without this record was not sent.
   */
  begin(entry: QueuedEntry): Promise<void> {
    const { state } = entry
    return this.#note(entry, { ...state, tries: state.tries + 1, sending: true, maybeStored: true })
  }

  /** The peer has stored the entry. */
  async delivered(
    queue: PeerQueue,
    entry: QueuedEntry,
    { type, size: bytes, duplicate }: Delivered,
  ): Promise<void> {
    const { store, logger, publish } = this.#options
    await store.remove(entry.stem)
    // Not awaited: an entry that a power cut restores is sent again with its id, and the peer dedupes it.
    void store.sync().catch(error => logger.warn({ err: error }, 'a removal may not be durable'))
    this.#backlog.remove(entry)
    queue.failures = 0
    this.#daemon.back()
    const { id, target, state } = entry
    const to = queue.address ?? ''
    const event: OutboxEvents['outbox.delivered'] = {
      id,
      target,
      to,
      type,
      bytes,
      tries: state.tries,
      duplicate,
    }
    publish('outbox.delivered', event)
    logger.info(event, 'delivered from the outbox')
  }

  /** A try failed with `error`. `before` is the state at its start. */
  async failed(queue: PeerQueue, entry: QueuedEntry, error: unknown, before: EntryState): Promise<void> {
    if (!this.#backlog.has(entry)) return
    if (!(await this.#options.store.has(entry.stem))) {
      // It was removed meanwhile.
      this.#backlog.remove(entry)
      return
    }
    const { state } = entry
    const lastError = tryError(error)
    const tried = { ...state, sending: false, lastError }
    switch (verdictOf(error)) {
      case 'stopped':
        if (state.sending) await this.#note(entry, { ...state, sending: false })
        return
      case 'daemon':
        this.#daemon.away(lastError.message)
        if (state.sending || state.lastError?.code !== lastError.code) await this.#note(entry, tried)
        return
      case 'never':
        this.#daemon.back()
        await this.#fail(entry, tried, queue.address)
        this.#backlog.remove(entry)
        return
      case 'refused': {
        // The peer says that it has not stored this try.
        const refusals = before.refusals + 1
        const nextTryAt = Date.now() + backoffMs(refusals, this.#options.backoff)
        await this.#putOff(queue, entry, { ...tried, maybeStored: before.maybeStored, refusals, nextTryAt })
        return
      }
      case 'peer': {
        // A transfer records its start before it connects.
        const maybeStored = lastError.code === 'DIAL_FAILED' ? before.maybeStored : tried.maybeStored
        await this.#putOff(queue, entry, { ...tried, maybeStored, tries: before.tries + 1 })
        return
      }
    }
  }

  /** The entry is damaged. */
  async broken({ stem, id }: StoredEntry, error: unknown): Promise<void> {
    const state = (await this.#options.store.readState(stem)) ?? FRESH
    await this.#fail({ stem, id, target: '' }, { ...state, lastError: tryError(error) })
  }

  /** The entry has expired. */
  async expired(entry: QueuedEntry): Promise<void> {
    // First, so that no try starts meanwhile.
    this.#backlog.remove(entry)
    await this.#fail(entry, { ...entry.state, lastError: tryError(expiredError(entry.state)) })
  }

  /** Delays all entries for the peer. */
  async #putOff(queue: PeerQueue, entry: QueuedEntry, state: EntryState): Promise<void> {
    this.#daemon.back()
    queue.failures++
    queue.isRefused = state.lastError?.code === 'PEER_REFUSED'
    queue.triedAt = Date.now()
    queue.dueAt = queue.triedAt + backoffMs(queue.failures, this.#options.backoff)
    await this.#note(entry, { ...state, nextTryAt: Math.max(state.nextTryAt, queue.dueAt) })
    const { id, target } = entry
    const { code, message: reason } = state.lastError ?? {}
    const level = queue.failures === 1 ? 'info' : 'debug'
    this.#options.logger[level]({ id, target, tries: state.tries, code, reason }, 'not delivered yet')
  }

  async #note(entry: QueuedEntry, state: EntryState): Promise<void> {
    await this.#options.store.writeState(entry.stem, state)
    entry.state = state
    entry.stateWrittenAt = performance.now()
  }

  async #fail(
    { stem, id, target }: Pick<QueuedEntry, 'stem' | 'id' | 'target'>,
    state: EntryState,
    to = '',
  ): Promise<void> {
    const { store, logger, publish } = this.#options
    await store.fail(stem, { ...state, sending: false, nextTryAt: 0 })
    const { code = 'INTERNAL', message: reason = '' } = state.lastError ?? {}
    const event: OutboxEvents['outbox.failed'] = { id, target, to, code, reason, tries: state.tries }
    publish('outbox.failed', event)
    logger.warn(event, 'failed; it stays in the outbox until it is tried again or removed')
  }
}
