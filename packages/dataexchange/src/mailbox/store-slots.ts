import { NoSlotError, Semaphore } from '../async/semaphore.ts'
import { descriptorLimit, descriptorsOfOthers } from '../disk/descriptors.ts'
import { LIMITS } from '../limits.ts'

/**
 * How many stores of a mailbox run at once, so that there are descriptors for each of them: senders take
 * turns.
 */
export class Stores {
  readonly #quick = new Semaphore(QUICK_AT_ONCE)
  readonly #small = new Semaphore(SMALL_AT_ONCE)
  readonly #streamed: Semaphore

  /** Counts the descriptors that are left. */
  constructor() {
    const left = descriptorLimit() - descriptorsOfOthers() - LIMITS.descriptorReserve.value
    const slots = Math.floor(left / DESCRIPTORS_OF_ONE)
    const streamed = Math.max(LEAST_STREAMED, Math.min(slots, LIMITS.streamedStores.value))
    this.#streamed = new Semaphore(streamed, Math.ceil(streamed / SENDERS))
  }

  /** Runs a store for the sender `from` that holds no descriptor while it waits. */
  quick<T>(from: string, store: () => Promise<T>): Promise<T> {
    return this.#quick.run(from, store)
  }

  /** Runs a store whose payload is in memory, for the sender `from`. */
  small<T>(from: string, store: () => Promise<T>): Promise<T> {
    return this.#small.run(from, store)
  }

  /**
   * Runs a store whose payload comes in pieces: it takes as long as its sender likes. None waits for such
   * ones for longer than `LIMITS.streamedStoreWait`; then it fails as if the system had no descriptor left.
   */
  async streamed<T>(from: string, store: () => Promise<T>): Promise<T> {
    try {
      return await this.#streamed.run(from, store, LIMITS.streamedStoreWait.value)
    } catch (error) {
      if (!(error instanceof NoSlotError)) throw error
      const message = 'too many large frames are being stored at once'
      throw Object.assign(new Error(message, { cause: error }), { code: 'EMFILE' })
    }
  }
}

/** So many share one sync; more of them would keep those of another sender waiting. Each holds up to 128 KiB of JSON. */
const QUICK_AT_ONCE = 128
/** More would only wait for the same disk, and hold descriptors; and up to 1.5 MiB of JSON each, see `inbox.ts`. */
const SMALL_AT_ONCE = 16
/** What is spooled, and what becomes of it. */
const DESCRIPTORS_OF_ONE = 2
const LEAST_STREAMED = 4
/** So many senders at least share the streamed stores. */
const SENDERS = 2
