import { coalesce } from '../../async/coalesce.ts'
import { OutboxError } from '../../errors.ts'
import type { EntryStore, StoredEntry } from '../entry/store.ts'

/** Limits of an outbox. */
export interface QuotaLimits {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * Quota of an outbox. Other processes add and remove, too: the folder is listed again if the last listing is a second old, or
 * the outbox is nearly full.
 */
export class OutboxQuota {
  readonly #limits: QuotaLimits
  readonly #list: () => Promise<readonly StoredEntry[]>
  #lookedAt = Number.NEGATIVE_INFINITY
  #entries = 0
  #bytes = 0
  #failed = 0

  constructor(store: EntryStore, limits: QuotaLimits) {
    this.#limits = limits
    this.#list = coalesce(async () => {
      const { entries } = await store.list()
      this.#count(entries)
      return entries
    })
  }

  /** Lists the folder and counts its entries. */
  recount(): Promise<readonly StoredEntry[]> {
    return this.#list()
  }

  /** Throws OUTBOX_FULL for a payload over the limit, before it is complete. */
  checkBytes(bytes: number): void {
    if (bytes > this.#limits.maxBytes) throw this.#full(`it may hold ${this.#limits.maxBytes} bytes in all`)
  }

  /**
   * Reserves `bytes` for a new entry.
   *
   * @throws {OutboxError} OUTBOX_FULL
   */
  async reserve(bytes: number): Promise<void> {
    if (performance.now() - this.#lookedAt > LOOK_AFTER_MS || this.#isNearlyFull(bytes)) await this.#list()
    const problem = this.#problem(bytes)
    if (problem !== undefined) throw this.#full(problem)
    this.#entries++
    this.#bytes += bytes
  }

  #isNearlyFull(bytes: number): boolean {
    const { maxEntries, maxBytes } = this.#limits
    return this.#entries + 1 > maxEntries * NEARLY || this.#bytes + bytes > maxBytes * NEARLY
  }

  #problem(bytes: number): string | undefined {
    const { maxEntries, maxBytes } = this.#limits
    if (this.#entries >= maxEntries) return `it holds ${this.#entries} messages, and may hold ${maxEntries}`
    if (this.#bytes + bytes > maxBytes) return `it holds ${this.#bytes} bytes, and may hold ${maxBytes}`
    return undefined
  }

  #full(why: string): OutboxError {
    const failed = this.#failed === 0 ? '' : `; ${this.#failed} of them have failed and can be removed`
    return new OutboxError('OUTBOX_FULL', `the outbox is full: ${why}${failed}`)
  }

  #count(entries: readonly StoredEntry[]): void {
    this.#lookedAt = performance.now()
    this.#entries = entries.length
    this.#bytes = entries.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#failed = entries.filter(({ hasFailed }) => hasFailed).length
  }
}

const LOOK_AFTER_MS = 1_000
const NEARLY = 0.9
