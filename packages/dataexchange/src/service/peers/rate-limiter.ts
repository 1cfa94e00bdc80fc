import { TokenBucket } from '../../async/token-bucket.ts'

/** The maximum rates of one peer. Undefined, zero and negative values mean no limit. */
export interface Rates {
  /** @default no limit */
  framesPerSecond?: number | undefined
  /** @default no limit */
  bytesPerSecond?: number | undefined
}

/**
 * Token buckets for the frames and bytes of one peer. A burst of one second is allowed. A frame larger than the
 * rate passes, too, and the peer then waits until its bytes are paid for.
 */
export class RateLimiter {
  readonly #frames: TokenBucket | undefined
  readonly #bytes: TokenBucket | undefined

  /** `Infinity` means no limit. */
  constructor({
    framesPerSecond = Number.POSITIVE_INFINITY,
    bytesPerSecond = Number.POSITIVE_INFINITY,
  }: Rates) {
    this.#frames = bucketOf(framesPerSecond)
    this.#bytes = bucketOf(bytesPerSecond)
  }

  /** Counts a frame of `size` bytes and returns true if the rates allow it; a frame that is refused is not counted. */
  take(size: number): boolean {
    if (this.#frames?.has(1) === false || this.#bytes?.has(ANY) === false) return false
    this.#frames?.take(1)
    this.#bytes?.take(size)
    return true
  }

  /** Milliseconds until the rates allow a frame. */
  get wait(): number {
    return Math.max(this.#frames?.wait(1) ?? 0, this.#bytes?.wait(ANY) ?? 0)
  }
}

/** The bytes that must be there for a frame of any size to pass. */
const ANY = Number.MIN_VALUE

function bucketOf(perSecond: number): TokenBucket | undefined {
  // With a rate below one a second, one frame must fit nevertheless.
  return perSecond < Number.POSITIVE_INFINITY ? new TokenBucket(perSecond, Math.max(perSecond, 1)) : undefined
}
