import { Fifo } from './fifo.ts'

/** Lets at most `slots` runs proceed at once; the others wait in the order they came. */
export class Semaphore {
  readonly #waiting = new Fifo<() => void>()
  #free: number

  constructor(slots: number) {
    this.#free = slots
  }

  /** Runs `task` when a slot is free, and resolves or rejects as it does. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>(resolve => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      // The slot is handed over, so that nobody who comes meanwhile can take it first.
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
