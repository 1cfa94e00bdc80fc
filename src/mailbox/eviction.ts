import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { coalesce } from './coalesce.ts'
import { Fifo } from './fifo.ts'
import type { FolderEntry, FolderIndex } from './folder-index.ts'
import { messageAge } from './names.ts'

/** What the inbox may hold. */
export interface InboxLimits {
  readonly maxFiles: number
  readonly maxBytes: number
}

/**
 * Keeps the inbox within its limits: past them the oldest messages go (section 3). The cost of a message
 * does not grow with the inbox.
 */
export class Eviction {
  /**
   * Removes the oldest messages where there are too many, or too many bytes (then down to 90 %), but never
   * the one stored last. Resolves when that is done; never rejects: what cannot be removed is logged, and
   * tried again after the next listing.
   */
  readonly enforce: () => Promise<void>
  readonly #dir: string
  readonly #index: FolderIndex
  readonly #limits: InboxLimits
  readonly #logger: Logger
  #order = new Fifo<FolderEntry>()
  #latest: FolderEntry | undefined
  #unreported = 0
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(dir: string, index: FolderIndex, limits: InboxLimits, logger: Logger) {
    this.#dir = dir
    this.#index = index
    this.#limits = limits
    this.#logger = logger
    const run = coalesce(() => this.#run())
    this.enforce = async () => {
      if (this.#isOver()) await run()
    }
  }

  /** Looks what is in the inbox. */
  async refresh(): Promise<void> {
    const found = await this.#index.refresh()
    if (found.length === 0) return
    const aged = [...this.#order.toArray(), ...found]
      .filter(entry => !entry.gone)
      .map(entry => ({ entry, age: messageAge(entry.name, entry.mtimeMs) }))
      .sort((a, b) => (a.age < b.age ? -1 : a.age > b.age ? 1 : 0))
    this.#order = new Fifo(aged.map(({ entry }) => entry))
  }

  /** Counts a message that has just been stored. */
  added(name: string, size: number): void {
    this.#latest = this.#index.add(name, size)
    this.#order.push(this.#latest)
  }

  #isOver(): boolean {
    return this.#index.files > this.#limits.maxFiles || this.#index.bytes > this.#limits.maxBytes
  }

  async #run(): Promise<void> {
    if (this.#index.listingAge > LISTING_GOOD_MS) {
      await this.refresh().catch(error => this.#logger.warn({ error }, 'cannot list the inbox'))
    }
    const victims = this.#takeVictims()
    for (let i = 0; i < victims.length; i += REMOVALS_AT_ONCE) {
      await Promise.all(victims.slice(i, i + REMOVALS_AT_ONCE).map(entry => this.#remove(entry)))
    }
    this.#report()
  }

  #takeVictims(): FolderEntry[] {
    const { maxFiles, maxBytes } = this.#limits
    const bytesGoal = this.#index.bytes > maxBytes ? maxBytes * EVICT_DOWN_TO : Number.POSITIVE_INFINITY
    const victims: FolderEntry[] = []
    for (let left = this.#order.length; left > 0; left--) {
      if (this.#index.files <= maxFiles && this.#index.bytes <= bytesGoal) break
      const entry = this.#order.shift()
      if (entry === undefined || entry.gone) continue
      if (entry === this.#latest) this.#order.push(entry)
      else {
        this.#index.forget(entry)
        victims.push(entry)
      }
    }
    return victims
  }

  async #remove(entry: FolderEntry): Promise<void> {
    try {
      await unlink(join(this.#dir, entry.name))
      this.#unreported++
    } catch (error) {
      // ENOENT: a reader has removed it.
      if (systemCode(error) !== 'ENOENT') {
        this.#logger.warn({ error, name: entry.name }, 'cannot remove an old message')
      }
    }
  }

  #report(): void {
    if (this.#unreported === 0 || performance.now() - this.#reportedAt < REPORT_EVERY_MS) return
    this.#logger.info(
      { removed: this.#unreported, files: this.#index.files, bytes: this.#index.bytes },
      'the inbox is full: old messages were removed',
    )
    this.#unreported = 0
    this.#reportedAt = performance.now()
  }
}

const EVICT_DOWN_TO = 0.9
/** Removals by other programs are noticed after this long at most, without a listing for every message. */
const LISTING_GOOD_MS = 10_000
const REMOVALS_AT_ONCE = 16
const REPORT_EVERY_MS = 60_000
