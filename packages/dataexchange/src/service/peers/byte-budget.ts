/**
 * Counts the bytes that are held for frames, for one peer or for all: readers stop while it is used up, and
 * go on as soon as it is not. A peer's budget counts into that of all.
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

  /** True where readers may take more. */
  get isAvailable(): boolean {
    return this.#used < this.#max && (this.#parent?.isAvailable ?? true)
  }

  /** True from half of the budget on: frames should go to the disk rather than be collected in memory. */
  get isTight(): boolean {
    return this.#used * 2 >= this.#max || (this.#parent?.isTight ?? false)
  }

  /** Bytes held. */
  get used(): number {
    return this.#used
  }

  hold(bytes: number): void {
    this.#used += bytes
    this.#parent?.hold(bytes)
  }

  release(bytes: number): void {
    const wasFull = this.#used >= this.#max
    this.#used -= bytes
    this.#parent?.release(bytes)
    if (wasFull && this.#used < this.#max) for (const wake of this.#waiting) wake()
  }

  /** Calls `wake` whenever there is room again, until the function that it returns is called. */
  onAvailable(wake: () => void): () => void {
    this.#waiting.add(wake)
    const parent = this.#parent?.onAvailable(wake)
    return () => {
      this.#waiting.delete(wake)
      parent?.()
    }
  }
}
