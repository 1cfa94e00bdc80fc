/**
 * Token bucket. It fills at a constant rate up to its capacity, and each use takes tokens from it. The level may
 * become negative: then later uses wait until the debt is paid.
 */
export class TokenBucket {
  readonly #perSecond: number
  readonly #capacity: number
  #level: number
  #filledAt = performance.now()

  /** The bucket is full at the beginning. */
  constructor(perSecond: number, capacity: number) {
    this.#perSecond = perSecond
    this.#capacity = capacity
    this.#level = capacity
  }

  /** Takes `tokens`, whether they are there or not. */
  take(tokens: number): void {
    this.#fill()
    this.#level -= tokens
  }

  /** Whether the bucket holds `tokens`. */
  has(tokens: number): boolean {
    // A full bucket is the usual case, and callers ask for every slice they read: this saves reading the clock.
    if (this.#level < this.#capacity) this.#fill()
    return this.#level >= tokens
  }

  /** Returns the milliseconds until the bucket holds `tokens`; 0 if it holds them now. */
  wait(tokens: number): number {
    return this.has(tokens) ? 0 : ((tokens - this.#level) / this.#perSecond) * 1000
  }

  #fill(): void {
    const now = performance.now()
    const added = ((now - this.#filledAt) / 1000) * this.#perSecond
    this.#level = Math.min(this.#capacity, this.#level + added)
    this.#filledAt = now
  }
}
