import { descriptorLimit, descriptorsOfOthers } from '../../disk/descriptors.ts'
import { FIXED_LIMITS } from '../../limits.ts'

/** Reserves file descriptors for stores. Connections may use file descriptors of this process, too. */
export class DescriptorReserve {
  /** Largest number of descriptors that are not files. */
  readonly #most: number
  /** Number of descriptors that are not files, or an upper bound of it. */
  #open = 0

  constructor() {
    const limit = descriptorLimit()
    this.#most = Math.max(limit - FIXED_LIMITS.descriptorReserve.value, limit / 2)
    this.#open = descriptorsOfOthers()
  }

  /**
   * Called for each new connection. Returns false if too few descriptors are left. Each connection counts as one
   * descriptor; before a refusal the real number is read, because streams of a daemon share one.
   */
  tryAcquire(): boolean {
    this.#open++
    if (this.#open > this.#most) this.#open = descriptorsOfOthers()
    return this.#open <= this.#most
  }
}
