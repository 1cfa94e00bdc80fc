/** A place in a queue. */
export interface Turn {
  /** Resolves when all who came before have ended their turns. */
  readonly come: Promise<void>
  /** The next one may go on. */
  end(): void
}

/** Queues by name: who comes first goes first, and the queues know nothing of each other. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** The next place in the queue `name`. */
  take(name: string): Turn {
    let finish = () => {}
    const ended = new Promise<void>(resolve => {
      finish = resolve
    })
    const come = this.#last.get(name) ?? Promise.resolve()
    const last = come.then(() => ended)
    this.#last.set(name, last)
    void last.then(() => {
      if (this.#last.get(name) === last) this.#last.delete(name)
    })
    return { come, end: finish }
  }
}
