import { coalesce } from '../../async/coalesce.ts'
import { OutboxError } from '../../errors.ts'
import type { EntryStore, StoredEntry } from '../entry/store.ts'

/** What an outbox may hold. */
export interface QuotaLimits {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * Counts what an outbox holds. Other processes add and remove too: the folder is looked at again when the last
 * look is a second old, and each time where it is nearly full.
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

  /** Looks at the folder now, and resolves with what is there. */
  recount(): Promise<readonly StoredEntry[]> {
    return this.#list()
  }

  /** Refuses `bytes` that cannot fit any more, before they are written. */
  checkBytes(bytes: number): void {
    if (bytes > this.#limits.maxBytes) throw this.#full(`it may hold ${this.#limits.maxBytes} bytes in all`)
  }

  /**
   * Takes room for an entry of `bytes`.
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
