/**
 * What is remembered for senders, by key, in the order of adding. A bound on all of it is kept fair: whoever has
 * most gives up its oldest, so that nobody can push out what others have by adding much.
 */
export class SharedMemory<T> {
  readonly #entries = new Map<string, { readonly from: string; readonly value: T }>()
  /** The keys of each sender, the oldest first. */
  readonly #senders = new Map<string, Set<string>>()
  /** The senders that have so many keys: who has most is found without looking at all of them. */
  readonly #byCount = new Map<number, Set<string>>()
  #most = 0

  get size(): number {
    return this.#entries.size
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.value
  }

  /** Remembers `value` of the sender `from`. A key that is remembered already keeps its place and its sender. */
  set(key: string, value: T, from: string): void {
    const before = this.#entries.get(key)
    this.#entries.set(key, { from: before?.from ?? from, value })
    if (before === undefined) this.#count(from, keys => keys.add(key))
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#count(entry.from, keys => keys.delete(key))
  }

  /** All of it, the oldest first. */
  *[Symbol.iterator](): Generator<[key: string, value: T]> {
    for (const [key, { value }] of this.#entries) yield [key, value]
  }

  /** The oldest key of whoever has most. */
  oldestOfMost(): string | undefined {
    const [from = ''] = this.#byCount.get(this.#most) ?? []
    return this.#senders.get(from)?.values().next().value
  }

  /** Adds one key to those of `from`, or takes one away. */
  #count(from: string, change: (keys: Set<string>) => void): void {
    const keys = this.#senders.get(from) ?? new Set()
    const before = this.#byCount.get(keys.size)
    before?.delete(from)
    if (before?.size === 0) this.#byCount.delete(keys.size)
    change(keys)
    if (keys.size === 0) this.#senders.delete(from)
    else this.#senders.set(from, keys)
    const peers = this.#byCount.get(keys.size) ?? new Set()
    if (keys.size > 0) this.#byCount.set(keys.size, peers.add(from))
    // One key more or less: where nobody is left at the top, whoever was there is one below.
    this.#most = Math.max(this.#most, keys.size)
    if (!this.#byCount.has(this.#most)) this.#most--
  }
}
