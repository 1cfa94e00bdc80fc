import { TokenBucket } from '../../async/token-bucket.ts'

/**
 * Burst of refused frames that one peer may cause; then it is read no faster than `REFUSAL_RATE`.
 * @limit count
 */
export const REFUSALS_AT_ONCE = 256

/** Frames a second that are read from a peer whose frames are all refused. @limit count */
export const REFUSAL_RATE = 64

/** Token bucket for the refused frames of one peer: refusing costs us work and the peer nothing. */
export class RefusalLimiter {
  /** True if the bucket was overdrawn when it was last used: {@link pause} then tells for how long. */
  isOverdrawn = false
  readonly #bucket = new TokenBucket(REFUSAL_RATE, REFUSALS_AT_ONCE)

  /** Returns the milliseconds for which the peer must not be read. */
  pause(): number {
    const ms = this.#bucket.wait(0)
    this.isOverdrawn = ms > 0
    return ms
  }

  /** Counts a refused frame. */
  spend(): void {
    this.#bucket.take(1)
    this.isOverdrawn = !this.#bucket.has(0)
  }
}
