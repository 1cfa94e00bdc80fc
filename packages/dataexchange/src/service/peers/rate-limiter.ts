/** Most of what one peer may send. Zero and negative values mean no limit, as undefined does. */
export interface Rates {
  /** @default no limit */
  framesPerSecond?: number | undefined
  /** @default no limit */
  bytesPerSecond?: number | undefined
}

/**
 * Counts what one peer sends against its rates. A second's worth may come at once; what is over is taken
 * from the seconds after it, so that a frame larger than the rate passes, and then nothing for a while.
 */
export class RateLimiter {
  readonly #frames: Bucket | undefined
  readonly #bytes: Bucket | undefined

  /** `Infinity` is no limit. */
  constructor({
    framesPerSecond = Number.POSITIVE_INFINITY,
    bytesPerSecond = Number.POSITIVE_INFINITY,
  }: Rates) {
    if (framesPerSecond < Number.POSITIVE_INFINITY) this.#frames = new Bucket(framesPerSecond)
    if (bytesPerSecond < Number.POSITIVE_INFINITY) this.#bytes = new Bucket(bytesPerSecond)
  }

  /** Counts a frame of `bytes` and returns true where the rates allow it; a frame that they do not allow counts nothing. */
  take(bytes: number): boolean {
    const now = performance.now()
    if (this.#frames?.has(1, now) === false || this.#bytes?.has(LITTLE, now) === false) return false
    this.#frames?.take(1)
    this.#bytes?.take(bytes)
    return true
  }

  /** Milliseconds until the rates allow a frame. */
  get wait(): number {
    const now = performance.now()
    return Math.max(this.#frames?.wait(1, now) ?? 0, this.#bytes?.wait(LITTLE, now) ?? 0)
  }
}

/** Bytes that must be left for a frame of any size to pass. */
const LITTLE = Number.MIN_VALUE

class Bucket {
  readonly #perSecond: number
  readonly #most: number
  #level: number
  #at = performance.now()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    // Below one a second, one must fit all the same.
    this.#most = Math.max(perSecond, 1)
    this.#level = this.#most
  }

  has(amount: number, now: number): boolean {
    this.#level = Math.min(this.#most, this.#level + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    return this.#level >= amount
  }

  wait(amount: number, now: number): number {
    return this.has(amount, now) ? 0 : ((amount - this.#level) / this.#perSecond) * 1000
  }

  take(amount: number): void {
    this.#level -= amount
  }
}
