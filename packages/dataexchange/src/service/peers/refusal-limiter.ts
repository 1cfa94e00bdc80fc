/**
 * Burst of refused frames that one peer may cause; then it is read no faster than `REFUSAL_RATE`.
 * @limit count
 */
export const REFUSALS_AT_ONCE = 256

/** Frames a second that are read from a peer whose frames are all refused. @limit count */
export const REFUSAL_RATE = 64

/**
 * What is left of the patience with one peer: frames that are refused cost this side work and the peer
 * nothing. Past `REFUSALS_AT_ONCE` of them, the peer is read no faster than `REFUSAL_RATE`.
 */
export class RefusalLimiter {
  #left = REFUSALS_AT_ONCE
  #at = performance.now()

  /** Milliseconds for which the peer is not to be read. */
  get pause(): number {
    // Nearly always, and asked for every slice: not worth a look at the clock.
    if (this.#left === REFUSALS_AT_ONCE) return 0
    this.#recover()
    return this.#left >= 0 ? 0 : (-this.#left / REFUSAL_RATE) * 1000
  }

  /** A frame was refused. */
  spend(): void {
    this.#recover()
    this.#left--
  }

  #recover(): void {
    const now = performance.now()
    const recovered = ((now - this.#at) / 1000) * REFUSAL_RATE
    this.#left = Math.min(REFUSALS_AT_ONCE, this.#left + recovered)
    this.#at = now
  }
}
