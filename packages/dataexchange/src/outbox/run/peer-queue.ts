import type { EntryState } from '../entry/state.ts'

/** Refusals by a peer after which a message no longer blocks the messages behind it. @limit count */
const BLOCKING_REFUSALS = 5

/** What the runner keeps in memory of an entry: nothing of what is to be sent. */
export interface QueuedEntry {
  readonly stem: string
  readonly seq: number
  readonly id: string
  readonly target: string
  /** True where its payload is a file that it refers to. */
  readonly hasFile: boolean
  /** Bytes of a file; 0 for a message. */
  readonly fileSize: number
  /** ms since the Unix epoch. */
  readonly expiresAt: number
  state: EntryState
  /** When its state was last written, on the clock of `performance.now()`; undefined where there is none. */
  stateWrittenAt: number | undefined
  /** When it came into memory, on the same clock. */
  readonly adoptedAt: number
  /** While it is being sent: gives it up. */
  sending: AbortController | undefined
}

/**
 * What waits for one peer, in its order. One entry is sent at a time. The first keeps the others waiting, unless
 * the peer refused it time and again: then the others may go before it, and it is tried now and then.
 */
export class PeerQueue {
  readonly key: string
  /** Of the peer, once it has been resolved. */
  address: string | undefined
  /** True while it is being served. */
  active = false
  /** How often the peer was not reached, or refused, one after the other. */
  failures = 0
  /** True where the last failure was a refusal. */
  isRefused = false
  /** When the last try ended, ms since the Unix epoch. */
  triedAt = 0
  /** Not before this, ms since the Unix epoch. */
  dueAt: number = Date.now()
  readonly #entries: QueuedEntry[] = []

  constructor(key: string) {
    this.key = key
  }

  get entries(): readonly QueuedEntry[] {
    return this.#entries
  }

  /** Puts an entry to its place in the order. */
  insert(entry: QueuedEntry): void {
    let at = this.#entries.length
    while (at > 0 && (this.#entries[at - 1]?.seq ?? 0) > entry.seq) at--
    this.#entries.splice(at, 0, entry)
  }

  remove(entry: QueuedEntry): void {
    const at = this.#entries.indexOf(entry)
    if (at >= 0) this.#entries.splice(at, 1)
  }

  /** The entry to be sent now, or undefined where none is due. */
  next(now: number): QueuedEntry | undefined {
    if (this.dueAt > now) return undefined
    for (const entry of this.#candidates()) {
      if (entry.state.nextTryAt <= now) return entry
    }
    return undefined
  }

  /** When {@link next} gives one: ms since the Unix epoch. */
  nextAt(): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const { state } of this.#candidates()) earliest = Math.min(earliest, state.nextTryAt)
    return Math.max(this.dueAt, earliest)
  }

  /**
   * There is a sign that the peer can be reached. Says whether that changes anything: it may come with each message of
   * a peer that sends all the time, so there is still a pause after the last try, and a refusal is not mended by it.
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

  /** Everything is due now. */
  retryNow(): void {
    this.failures = 0
    this.dueAt = 0
    for (const entry of this.#candidates()) entry.state = { ...entry.state, nextTryAt: 0 }
  }

  /** Those at the front that no longer keep others waiting, and the first that does. */
  *#candidates(): Generator<QueuedEntry, void, undefined> {
    for (const entry of this.#entries) {
      yield entry
      if (entry.state.refusals < BLOCKING_REFUSALS) return
    }
  }
}

const HINT_PAUSE_MS = 1_000
