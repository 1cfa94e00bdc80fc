/**
 * First-in, first-out queue. `shift` is amortised O(1) even with 100,000 items, unlike `shift` of an array and the
 * first key of a Map after many deletions.
 */
export class Fifo<T> {
  #items: (T | undefined)[]
  #head = 0

  constructor(items: readonly T[] = []) {
    this.#items = [...items]
  }

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head >= COMPACT_FROM && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Returns all items in order. */
  toArray(): T[] {
    return this.#items.slice(this.#head) as T[]
  }
}

const COMPACT_FROM = 1024
