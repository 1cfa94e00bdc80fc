/** One place in a queue. */
export interface Turn {
  /** Resolves when all earlier turns of the same key have ended. */
  readonly ready: Promise<void>
  /** Ends the turn: the next one of the same key comes. */
  end(): void
}

/** First come, first served for each key. The queues of different keys are independent. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>()

  /** Takes the next place in the queue of `key`. */
  take(key: string): Turn {
    let finish = () => {}
    const ended = new Promise<void>(resolve => {
      finish = resolve
    })
    const ready = this.#last.get(key) ?? Promise.resolve()
    const last = ready.then(() => ended)
    this.#last.set(key, last)
    void last.then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key)
    })
    return { ready, end: finish }
  }

  /** Runs `task` when all earlier turns of `key` have ended; resolves or rejects as `task` does. */
  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turn = this.take(key)
    try {
      await turn.ready
      return await task()
    } finally {
      turn.end()
    }
  }
}
