/**
 * Memory budget for frames, of one peer or of all. Readers stop while it is used up. The bytes of a peer's budget count
 * into its parent, the budget of all.
 */
export class ByteBudget {
  readonly #max: number
  readonly #parent: ByteBudget | undefined
  readonly #waiting = new Set<() => void>()
  #used = 0

  constructor(max: number, parent?: ByteBudget) {
    this.#max = max
    this.#parent = parent
  }

  /** True if readers may read more. */
  get isAvailable(): boolean {
    return this.#used < this.#max && (this.#parent?.isAvailable ?? true)
  }

  /** True from half of the budget on: then frames go to the disk instead of memory. */
  get isTight(): boolean {
    return this.#used * 2 >= this.#max || (this.#parent?.isTight ?? false)
  }

  /** Number of bytes held. */
  get used(): number {
    return this.#used
  }

  /** Charges `bytes`. */
  hold(bytes: number): void {
    this.#used += bytes
    this.#parent?.hold(bytes)
  }

  /** Gives `bytes` back. */
  release(bytes: number): void {
    const wasFull = this.#used >= this.#max
    this.#used -= bytes
    this.#parent?.release(bytes)
    if (wasFull && this.#used < this.#max) for (const wake of this.#waiting) wake()
  }

  /** Calls `wake` whenever the budget becomes available again, until the returned function is called. */
  onAvailable(wake: () => void): () => void {
    this.#waiting.add(wake)
    const parent = this.#parent?.onAvailable(wake)
    return () => {
      this.#waiting.delete(wake)
      parent?.()
    }
  }
}
