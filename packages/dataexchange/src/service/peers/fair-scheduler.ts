/**
 * Shares the event loop between peers. Work runs at once while a round of the event loop has used less than 2 ms. Beyond
 * that, each round runs one piece of work, and peers take turns, so that a busy peer does not delay the others.
 */
export class FairScheduler {
  /** Queued work by peer, in the order of the turns. */
  readonly #waiting = new Map<object, (() => void)[]>()
  #roundStartedAt: number | undefined

  /**
   * Runs `work` at the turn of `peer`. Resolves when it is done. Rejects with the error that `work` throws.
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
    // A peer with more work goes to the end of the line.
    this.#waiting.delete(peer)
    if (queue.length > 0) this.#waiting.set(peer, queue)
    this.#roundStartedAt = performance.now()
    setImmediate(() => this.#nextRound())
    proceed?.()
  }
}

/** Time in ms in one round of the event loop before peers take turns. */
const FREE_MS = 2
