/**
 * Counts the bytes held for frames, of one peer or of all peers. Readers pause while the budget is used up. The budget
 * of a peer also charges the budget of all peers, its parent.
 */
export class ByteBudget {
  readonly #max: number
  readonly #parent: ByteBudget | undefined
  readonly #listeners = new Set<() => void>()
  #used = 0

  constructor(max: number, parent?: ByteBudget) {
    this.#max = max
    this.#parent = parent
  }

  /** True if readers may take more. */
  get isAvailable(): boolean {
    return this.#used < this.#max && (this.#parent?.isAvailable ?? true)
  }

  /** True from half of the budget on: frames should then go to the disk instead of being collected in memory. */
  get isTight(): boolean {
    return this.#used * 2 >= this.#max || (this.#parent?.isTight ?? false)
  }

  /** Bytes held. */
  get used(): number {
    return this.#used
  }

  /** Adds `bytes`; returns {@link isAvailable}. */
  hold(bytes: number): boolean {
    this.#used += bytes
    const isParentAvailable = this.#parent?.hold(bytes) ?? true
    return isParentAvailable && this.#used < this.#max
  }

  release(bytes: number): void {
    const wasFull = this.#used >= this.#max
    this.#used -= bytes
    this.#parent?.release(bytes)
    if (wasFull && this.#used < this.#max) for (const listener of this.#listeners) listener()
  }

  /** Calls `listener` whenever bytes become available again, until the returned function is called. */
  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener)
    const removeFromParent = this.#parent?.onAvailable(listener)
    return () => {
      this.#listeners.delete(listener)
      removeFromParent?.()
    }
  }
}
