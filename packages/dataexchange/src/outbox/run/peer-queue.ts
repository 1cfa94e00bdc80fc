import type { EntryState } from '../entry/state.ts'

/** Refusals by a peer after which a message no longer blocks the messages behind it. @limit count */
const BLOCKING_REFUSALS = 5

/** An entry in the memory of the runner, without its message. */
export interface QueuedEntry {
  readonly stem: string
  readonly seq: number
  readonly id: string
  readonly target: string
  /** True if its payload is a referenced file. */
  readonly hasFile: boolean
  /** Bytes of a file; 0 for a message. */
  readonly fileSize: number
  /** ms since the Unix epoch. */
  readonly expiresAt: number
  state: EntryState
  /** Time of the last write of its state, by `performance.now()`; undefined if it has none. */
  stateWrittenAt: number | undefined
  /** Time when it was read into memory, by the same clock. */
  readonly adoptedAt: number
  /** Aborts the delivery in flight; undefined otherwise. */
  sending: AbortController | undefined
}

/**
 * The entries for one peer, in order. One is sent at a time. The first blocks the others until the peer has refused it
 * several times; then the others may pass, and it is tried with backoff.
 */
export class PeerQueue {
  readonly key: string
  /** The peer's address; undefined until it is resolved. */
  address: string | undefined
  /** True while it is served. */
  active = false
  /** Consecutive failures: the peer was not reached, or refused. */
  failures = 0
  /** True if the last failure was a refusal. */
  isRefused = false
  /** End of the last try, ms since the Unix epoch. */
  triedAt = 0
  /** Earliest time of the next try, ms since the Unix epoch. */
  dueAt: number = Date.now()
  readonly #entries: QueuedEntry[] = []

  constructor(key: string) {
    this.key = key
  }

  get entries(): readonly QueuedEntry[] {
    return this.#entries
  }

  /** Inserts an entry in order. */
  insert(entry: QueuedEntry): void {
    let at = this.#entries.length
    while (at > 0 && (this.#entries[at - 1]?.seq ?? 0) > entry.seq) at--
    this.#entries.splice(at, 0, entry)
  }

  remove(entry: QueuedEntry): void {
    const at = this.#entries.indexOf(entry)
    if (at >= 0) this.#entries.splice(at, 1)
  }

  /** The entry to send now; undefined if none is due. */
  next(now: number): QueuedEntry | undefined {
    if (this.dueAt > now) return undefined
    for (const entry of this.#candidates()) {
      if (entry.state.nextTryAt <= now) return entry
    }
    return undefined
  }

  /** Time when {@link next} returns an entry, ms since the Unix epoch. */
  nextAt(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { state } of this.#candidates()) earliest = Math.min(earliest, state.nextTryAt)
    return Math.max(this.dueAt, earliest)
  }

  /**
   * Makes the queue due on a sign that the peer is reachable. Returns whether that changes anything. The sign may come with
   * each message from the peer, so a pause follows the last try. It has no effect on refusals.
   */
  markReachable(): boolean {
    if (this.failures === 0 || this.isRefused) return false
    const at = this.triedAt + HINT_PAUSE_MS
    if (at >= this.nextAt()) return false
    this.dueAt = Math.min(this.dueAt, at)
    for (const entry of this.#candidates()) {
      entry.state = { ...entry.state, nextTryAt: Math.min(entry.state.nextTryAt, at) }
    }
    return true
  }

  /** Makes everything due now. */
  retryNow(): void {
    this.failures = 0
    this.dueAt = 0
    for (const entry of this.#candidates()) entry.state = { ...entry.state, nextTryAt: 0 }
  }

  /** The entries at the front that do not block others, and the first that does. */
  *#candidates(): Generator<QueuedEntry, void, undefined> {
    for (const entry of this.#entries) {
      yield entry
      if (entry.state.refusals < BLOCKING_REFUSALS) return
    }
  }
}

const HINT_PAUSE_MS = 1_000
