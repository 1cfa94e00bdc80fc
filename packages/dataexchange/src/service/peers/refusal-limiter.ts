import { LIMITS } from '../../limits.ts'

/**
 * What is left of the patience with one peer: frames that are refused cost this side work and the peer
 * nothing. Past `LIMITS.refusalsAtOnce` of them, the peer is read no faster than `LIMITS.refusalRate`.
 */
export class Patience {
  #left = LIMITS.refusalsAtOnce.value
  #at = performance.now()

  /** Milliseconds for which the peer is not to be read. */
  get pause(): number {
    // Nearly always, and asked for every slice: not worth a look at the clock.
    if (this.#left === LIMITS.refusalsAtOnce.value) return 0
    this.#recover()
    return this.#left >= 0 ? 0 : (-this.#left / LIMITS.refusalRate.value) * 1000
  }

  /** A frame was refused. */
  lose(): void {
    this.#recover()
    this.#left--
  }

  #recover(): void {
    const now = performance.now()
    const recovered = ((now - this.#at) / 1000) * LIMITS.refusalRate.value
    this.#left = Math.min(LIMITS.refusalsAtOnce.value, this.#left + recovered)
    this.#at = now
  }
}
