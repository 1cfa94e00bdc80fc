import { NoSlotError, Semaphore } from '../async/semaphore.ts'
import { descriptorLimit, descriptorsOfOthers } from '../disk/descriptors.ts'
import { FIXED_LIMITS } from '../limits.ts'

/** Time that a large frame waits to be stored; then it is refused with ERR. @limit ms */
export const STREAMED_STORE_WAIT_MS = 15_000

/**
 * Large frames that are stored at once, half of them for one peer; fewer if file descriptors are scarce.
 * @limit count
 */
const STREAMED_STORES = 1_024

/**
 * The number of concurrent stores of a mailbox, so that there are enough descriptors for all of them. Senders take
 * turns.
 */
export class StoreSlots {
  readonly #journaled = new Semaphore(JOURNALED_SLOTS)
  readonly #inMemory = new Semaphore(IN_MEMORY_SLOTS)
  readonly #streamed: Semaphore

  /** Counts the free descriptors of the process. */
  constructor() {
    const free = descriptorLimit() - descriptorsOfOthers() - FIXED_LIMITS.descriptorReserve.value
    const slots = Math.floor(free / DESCRIPTORS_PER_STREAM)
    const streamed = Math.max(MIN_STREAMED_SLOTS, Math.min(slots, STREAMED_STORES))
    this.#streamed = new Semaphore(streamed, Math.ceil(streamed / SENDERS))
  }

  /** Runs a store on the fast path for the sender `from`. It holds no descriptor while it waits for the journal. */
  journaled<T>(from: string, store: () => Promise<T>): Promise<T> {
    return this.#journaled.run(from, store)
  }

  /** Runs a store for the sender `from` whose payload is in memory. */
  inMemory<T>(from: string, store: () => Promise<T>): Promise<T> {
    return this.#inMemory.run(from, store)
  }

  /**
   * Runs a store for the sender `from` whose payload arrives in pieces, and so takes as long as the sender likes. Waits
   * for a slot for up to `STREAMED_STORE_WAIT_MS`, then fails with EMFILE.
   */
  async streamed<T>(from: string, store: () => Promise<T>): Promise<T> {
    try {
      return await this.#streamed.run(from, store, STREAMED_STORE_WAIT_MS)
    } catch (error) {
      if (!(error instanceof NoSlotError)) throw error
      const message = 'too many large frames are being stored at once'
      throw Object.assign(new Error(message, { cause: error }), { code: 'EMFILE' })
    }
  }
}

/** These share one sync; more would delay other senders. Each holds up to 128 KiB of JSON. */
const JOURNALED_SLOTS = 128
/** More would only wait for the same disk, with descriptors and up to 1.5 MiB of JSON each, see inbox.ts. */
const IN_MEMORY_SLOTS = 16
/** One for the spool, and one for the message made of it. */
const DESCRIPTORS_PER_STREAM = 2
const MIN_STREAMED_SLOTS = 4
/** One sender can take half of the streamed slots. */
const SENDERS = 2
