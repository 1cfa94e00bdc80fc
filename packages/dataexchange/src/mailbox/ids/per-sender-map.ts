/**
 * A map in insertion order whose entries belong to senders. Its bound is kept fair by {@link oldestOfLargest}: the
 * sender with the most entries loses its oldest, so no sender can displace the entries of others.
 */
export class PerSenderMap<T> {
  readonly #entries = new Map<string, { readonly from: string; readonly value: T }>()
  /** The keys of each sender, oldest first. */
  readonly #senders = new Map<string, Set<string>>()
  /** The senders by number of keys, so that the one with the most is found without a scan. */
  readonly #byCount = new Map<number, Set<string>>()
  #largest = 0

  get size(): number {
    return this.#entries.size
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.value
  }

  /** Sets the value of `key` for the sender `from`. An existing key keeps its position and its sender. */
  set(key: string, value: T, from: string): void {
    const before = this.#entries.get(key)
    this.#entries.set(key, { from: before?.from ?? from, value })
    if (before === undefined) this.#updateCount(from, keys => keys.add(key))
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#updateCount(entry.from, keys => keys.delete(key))
  }

  /** All entries, oldest first. */
  *[Symbol.iterator](): Generator<[key: string, value: T]> {
    for (const [key, { value }] of this.#entries) yield [key, value]
  }

  /** The oldest key of the sender with the most keys. */
  oldestOfLargest(): string | undefined {
    const [from = ''] = this.#byCount.get(this.#largest) ?? []
    return this.#senders.get(from)?.values().next().value
  }

  /** Has `change` add one key to those of `from` or delete one, and updates the counts. */
  #updateCount(from: string, change: (keys: Set<string>) => void): void {
    const keys = this.#senders.get(from) ?? new Set()
    const before = this.#byCount.get(keys.size)
    before?.delete(from)
    if (before?.size === 0) this.#byCount.delete(keys.size)
    change(keys)
    if (keys.size === 0) this.#senders.delete(from)
    else this.#senders.set(from, keys)
    const peers = this.#byCount.get(keys.size) ?? new Set()
    if (keys.size > 0) this.#byCount.set(keys.size, peers.add(from))
    // The count changes by one. If nobody has the largest count now, its last holder is one below.
    this.#largest = Math.max(this.#largest, keys.size)
    if (!this.#byCount.has(this.#largest)) this.#largest--
  }
}
