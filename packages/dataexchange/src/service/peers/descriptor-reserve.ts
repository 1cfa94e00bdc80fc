import { descriptorLimit, descriptorsOfOthers } from '../../disk/descriptors.ts'
import { FIXED_LIMITS } from '../../limits.ts'

/** Keeps descriptors for what is being stored, where connections are descriptors of this process too. */
export class DescriptorReserve {
  /** What all but files may have open. */
  readonly #most: number
  /** What they have open, or less. */
  #open = 0

  constructor() {
    const limit = descriptorLimit()
    this.#most = Math.max(limit - FIXED_LIMITS.descriptorReserve.value, limit / 2)
    this.#open = descriptorsOfOthers()
  }

  /**
   * To be asked at each connection that has come: false where too few descriptors are left with it. Each is
   * taken for one more, and nothing is refused before they are counted: a daemon's streams share one.
   */
  tryAcquire(): boolean {
    this.#open++
    if (this.#open > this.#most) this.#open = descriptorsOfOthers()
    return this.#open <= this.#most
  }
}
