/**
 * Shares this process between the peers: while there is little to do, everybody works at once; as soon as
 * there is more, one piece of work is done in each round of the event loop, the peers taking turns, so that
 * whoever sends most does not keep the others waiting.
 */
export class FairScheduler {
  /** The work that waits, by peer, in the order of the turns. */
  readonly #waiting = new Map<object, (() => void)[]>()
  #roundStartedAt: number | undefined

  /**
   * Does a piece of work of `peer` when it is its turn. Resolves when it is done; rejects with what it throws.
   */
  async run(peer: object, work: () => void): Promise<void> {
    if (!this.#isFree()) await this.#turnOf(peer)
    work()
  }

  #isFree(): boolean {
    const now = performance.now()
    if (this.#roundStartedAt === undefined) {
      this.#roundStartedAt = now
      setImmediate(() => this.#nextRound())
    }
    return this.#waiting.size === 0 && now - this.#roundStartedAt < FREE_MS
  }

  #turnOf(peer: object): Promise<void> {
    return new Promise(resolve => {
      const queue = this.#waiting.get(peer)
      if (queue) queue.push(resolve)
      else this.#waiting.set(peer, [resolve])
    })
  }

  #nextRound(): void {
    this.#roundStartedAt = undefined
    const [next] = this.#waiting
    if (next === undefined) return
    const [peer, queue] = next
    const proceed = queue.shift()
    // To the end of the line, and out of it where nothing is left.
    this.#waiting.delete(peer)
    if (queue.length > 0) this.#waiting.set(peer, queue)
    this.#roundStartedAt = performance.now()
    setImmediate(() => this.#nextRound())
    proceed?.()
  }
}

/** Work that is done in one round of the event loop before peers take turns. */
const FREE_MS = 2
