import { Semaphore } from '../../async/semaphore.ts'
import type { Logger } from '../../logger.ts'
import { systemCode } from '../../system-errors.ts'
import { FrameType } from '../../wire/frame.ts'
import { EntryReader } from '../entry/file.ts'
import { FRESH } from '../entry/state.ts'
import type { EntryStore, StoredEntry } from '../entry/store.ts'
import { peerKey } from '../peer-key.ts'
import { PeerQueue, type QueuedEntry } from './peer-queue.ts'
import { verdictOf } from './verdict.ts'

/** Called for an entry that can never be sent because its file is damaged. */
export type OnBroken = (seen: StoredEntry, error: unknown) => Promise<void>

/** The entries to send, by peer, as of the last listing of the folder. */
export class Backlog {
  readonly queues: Map<string, PeerQueue> = new Map()
  readonly #store: EntryStore
  readonly #logger: Logger
  readonly #onBroken: OnBroken
  readonly #entries = new Map<string, { entry: QueuedEntry; queue: PeerQueue }>()
  readonly #unreadable = new Set<string>()
  readonly #slots = new Semaphore(FILES_AT_ONCE)
  /** Earliest expiry, ms since the Unix epoch; may be too early. */
  expiresAt: number = Number.POSITIVE_INFINITY

  constructor(store: EntryStore, logger: Logger, onBroken: OnBroken) {
    this.#store = store
    this.#logger = logger
    this.#onBroken = onBroken
  }

  get size(): number {
    return this.#entries.size
  }

  /** True while an entry of the folder could not be read. */
  get isIncomplete(): boolean {
    return this.#unreadable.size > 0
  }

  /** Reads the entries that were added, removed or renewed since the last listing. */
  async refresh(): Promise<void> {
    const startedAt = performance.now()
    const listedAt = Date.now()
    const { entries, orphans } = await this.#store.list()
    const open = new Map(entries.filter(({ hasFailed }) => !hasFailed).map(seen => [seen.stem, seen]))
    for (const { entry, queue } of [...this.#entries.values()]) {
      // The listing may miss changes since it began.
      if (entry.adoptedAt > startedAt) continue
      const seen = open.get(entry.stem)
      if (seen === undefined) {
        entry.sending?.abort()
        this.remove(entry)
      } else if (!seen.hasState && (entry.stateWrittenAt ?? startedAt) < startedAt) {
        this.#renew(entry, queue)
      }
    }
    await this.#adopt(
      [...open.values()].filter(({ stem }) => !this.#entries.has(stem)),
      listedAt,
    )
    for (const stem of orphans) {
      if (!this.#entries.has(stem)) await this.#store.removeState(stem)
    }
    for (const stem of this.#unreadable) if (!open.has(stem)) this.#unreadable.delete(stem)
  }

  /** True if the entry is still to be sent. */
  has(entry: QueuedEntry): boolean {
    return this.#entries.get(entry.stem)?.entry === entry
  }

  /** Removes an entry that is delivered, failed or gone. */
  remove(entry: QueuedEntry): void {
    const queue = this.#entries.get(entry.stem)?.queue
    if (queue === undefined) return
    this.#entries.delete(entry.stem)
    queue.remove(entry)
    if (queue.entries.length === 0 && !queue.active) this.queues.delete(queue.key)
  }

  /** Ends the serving of a queue. */
  release(queue: PeerQueue): void {
    queue.active = false
    if (queue.entries.length === 0) this.queues.delete(queue.key)
  }

  /** The expired entries that are not in flight. Updates {@link expiresAt}. */
  expired(now: number): QueuedEntry[] {
    const over: QueuedEntry[] = []
    let next = Number.POSITIVE_INFINITY
    for (const { entry } of this.#entries.values()) {
      if (entry.expiresAt > now || entry.sending !== undefined) {
        next = Math.min(next, Math.max(entry.expiresAt, now + EXPIRY_GRAIN_MS))
      } else over.push(entry)
    }
    this.expiresAt = next
    return over
  }

  /** Aborts all deliveries in flight. */
  abort(): void {
    for (const { entry } of this.#entries.values()) entry.sending?.abort()
  }

  async #adopt(fresh: readonly StoredEntry[], listedAt: number): Promise<void> {
    const found = await this.#readAll(fresh)
    for (const { entry, key } of [...found, ...(await this.#missed(fresh, found, listedAt))]) {
      const queue = this.queues.get(key) ?? new PeerQueue(key)
      this.queues.set(key, queue)
      queue.insert(entry)
      this.#entries.set(entry.stem, { entry, queue })
      this.#unreadable.delete(entry.stem)
      this.expiresAt = Math.min(this.expiresAt, entry.expiresAt)
    }
  }

  /**
   * A listing is not atomic: of two entries that are added meanwhile it may have the second without the first. So a
   * listing with an entry that may be younger than itself is repeated once: it has all that came before.
   */
  async #missed(fresh: readonly StoredEntry[], found: readonly Found[], listedAt: number): Promise<Found[]> {
    const newest = fresh.at(-1)
    if (newest === undefined || found.every(({ addedAt }) => addedAt < listedAt - CLOCK_TICK_MS)) return []
    const known = new Set(fresh.map(({ stem }) => stem))
    const { entries } = await this.#store.list()
    return this.#readAll(
      entries.filter(
        ({ hasFailed, stem, seq }) =>
          !hasFailed && seq <= newest.seq && !known.has(stem) && !this.#entries.has(stem),
      ),
    )
  }

  async #readAll(seen: readonly StoredEntry[]): Promise<Found[]> {
    const found = await Promise.all(seen.map(one => this.#slots.run('', () => this.#read(one))))
    return found.filter(one => one !== undefined)
  }

  async #read(seen: StoredEntry): Promise<Found | undefined> {
    const { stem, seq, id, hasState } = seen
    try {
      const reader = await EntryReader.open(this.#store.dir, stem)
      await reader.close()
      const { target, type, expiresIn, file } = reader.head
      const key = peerKey(target)
      const state = (hasState ? await this.#store.readState(stem) : undefined) ?? FRESH
      const entry: QueuedEntry = {
        stem,
        seq,
        id,
        target,
        hasFile: file !== undefined,
        fileSize: type === FrameType.File ? (file?.size ?? reader.size) : 0,
        expiresAt: expiresIn === null ? Number.POSITIVE_INFINITY : reader.since + expiresIn,
        // Try at once: the earlier runner may have had no network.
        state: { ...state, nextTryAt: 0, sending: false },
        stateWrittenAt: hasState ? performance.now() : undefined,
        adoptedAt: performance.now(),
        sending: undefined,
      }
      return { entry, key, addedAt: reader.publishedAt }
    } catch (error) {
      // Delivered or removed since the listing.
      if (systemCode(error) === 'ENOENT') return undefined
      if (verdictOf(error) === 'never') await this.#onBroken(seen, error)
      else if (!this.#unreadable.has(stem)) {
        this.#unreadable.add(stem)
        this.#logger.warn({ err: error, entry: stem }, 'an outbox entry cannot be read; it is tried again')
      }
      return undefined
    }
  }

  /** Reads a renewed entry again, and makes its queue due. */
  #renew(entry: QueuedEntry, queue: PeerQueue): void {
    if (entry.sending !== undefined) return
    this.remove(entry)
    queue.retryNow()
  }
}

interface Found {
  readonly entry: QueuedEntry
  readonly key: string
  /** When it became visible, ms since the Unix epoch. */
  readonly addedAt: number
}

const FILES_AT_ONCE = 16
/** The kernel's clock for files lags behind by up to one tick. */
const CLOCK_TICK_MS = 20
const EXPIRY_GRAIN_MS = 1_000
