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

/** Told of an entry that can never be sent: its file is not as it was written. */
export type OnBroken = (seen: StoredEntry, error: unknown) => Promise<void>

/** All that is to be sent, by peer: what the folder held at the last look. */
export class Backlog {
  readonly queues: Map<string, PeerQueue> = new Map()
  readonly #store: EntryStore
  readonly #logger: Logger
  readonly #onBroken: OnBroken
  readonly #entries = new Map<string, { entry: QueuedEntry; queue: PeerQueue }>()
  readonly #unreadable = new Set<string>()
  readonly #slots = new Semaphore(FILES_AT_ONCE)
  /** The earliest time at which one expires, ms since the Unix epoch; may be too early. */
  expiresAt: number = Number.POSITIVE_INFINITY

  constructor(store: EntryStore, logger: Logger, onBroken: OnBroken) {
    this.#store = store
    this.#logger = logger
    this.#onBroken = onBroken
  }

  get size(): number {
    return this.#entries.size
  }

  /** True while there is something in the folder that could not be read yet. */
  get isIncomplete(): boolean {
    return this.#unreadable.size > 0
  }

  /** Takes over what has come, gone or been renewed in the folder since the last look. */
  async refresh(): Promise<void> {
    const startedAt = performance.now()
    const { entries, orphans } = await this.#store.list()
    const open = new Map(entries.filter(({ hasFailed }) => !hasFailed).map(seen => [seen.stem, seen]))
    for (const { entry, queue } of [...this.#entries.values()]) {
      // What has changed here since the look began, the look may or may not have seen.
      if (entry.adoptedAt > startedAt) continue
      const seen = open.get(entry.stem)
      if (seen === undefined) {
        entry.sending?.abort()
        this.remove(entry)
      } else if (!seen.hasState && (entry.stateWrittenAt ?? startedAt) < startedAt) {
        this.#renew(entry, queue)
      }
    }
    await this.#adopt(await this.#inOrder([...open.values()]))
    for (const stem of orphans) {
      if (!this.#entries.has(stem)) await this.#store.removeState(stem)
    }
    for (const stem of this.#unreadable) if (!open.has(stem)) this.#unreadable.delete(stem)
  }

  /** Whether the entry is still to be sent. */
  has(entry: QueuedEntry): boolean {
    return this.#entries.get(entry.stem)?.entry === entry
  }

  /** The entry is delivered, or has failed, or has gone. */
  remove(entry: QueuedEntry): void {
    const queue = this.#entries.get(entry.stem)?.queue
    if (queue === undefined) return
    this.#entries.delete(entry.stem)
    queue.remove(entry)
    if (queue.entries.length === 0 && !queue.active) this.queues.delete(queue.key)
  }

  /** The queue is no longer served. */
  release(queue: PeerQueue): void {
    queue.active = false
    if (queue.entries.length === 0) this.queues.delete(queue.key)
  }

  /** Those whose time is over and that are not being sent; {@link expiresAt} is right again after it. */
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

  /** Gives up what is being sent. */
  abort(): void {
    for (const { entry } of this.#entries.values()) entry.sending?.abort()
  }

  /**
   * A look is not one moment: of two entries that come meanwhile it may see the second alone. What came before
   * an entry that one look has seen, the next one sees.
   */
  async #inOrder(seen: readonly StoredEntry[]): Promise<StoredEntry[]> {
    const fresh = seen.filter(({ stem }) => !this.#entries.has(stem))
    const newest = fresh.at(-1)
    if (newest === undefined) return []
    const { entries } = await this.#store.list()
    return entries.filter(
      entry => !entry.hasFailed && !this.#entries.has(entry.stem) && entry.seq <= newest.seq,
    )
  }

  async #adopt(fresh: readonly StoredEntry[]): Promise<void> {
    const read = await Promise.all(fresh.map(seen => this.#slots.run('', () => this.#read(seen))))
    for (const found of read) {
      if (found === undefined) continue
      const { entry, key } = found
      const queue = this.queues.get(key) ?? new PeerQueue(key)
      this.queues.set(key, queue)
      queue.insert(entry)
      this.#entries.set(entry.stem, { entry, queue })
      this.#unreadable.delete(entry.stem)
      this.expiresAt = Math.min(this.expiresAt, entry.expiresAt)
    }
  }

  async #read(seen: StoredEntry): Promise<{ entry: QueuedEntry; key: string } | undefined> {
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
        // Whoever ran the outbox before may have been without a network: the first try is not put off.
        state: { ...state, nextTryAt: 0, sending: false },
        stateWrittenAt: hasState ? performance.now() : undefined,
        adoptedAt: performance.now(),
        sending: undefined,
      }
      return { entry, key }
    } catch (error) {
      // Delivered or removed since the look.
      if (systemCode(error) === 'ENOENT') return undefined
      if (verdictOf(error) === 'never') await this.#onBroken(seen, error)
      else if (!this.#unreadable.has(stem)) {
        this.#unreadable.add(stem)
        this.#logger.warn({ err: error, entry: stem }, 'an outbox entry cannot be read; it is tried again')
      }
      return undefined
    }
  }

  /** Somebody wants it tried now, perhaps with its whole time again: it is read anew. */
  #renew(entry: QueuedEntry, queue: PeerQueue): void {
    if (entry.sending !== undefined) return
    this.remove(entry)
    queue.retryNow()
  }
}

const FILES_AT_ONCE = 16
const EXPIRY_GRAIN_MS = 1_000
