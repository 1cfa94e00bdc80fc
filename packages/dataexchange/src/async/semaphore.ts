import { Fifo } from './queue.ts'

/**
 * Lets at most `slots` runs proceed at once, of one owner at most `perOwner`. The others wait; owners take
 * turns, so that one who asks for many keeps nobody waiting for more than a turn.
 */
export class Semaphore {
  readonly #perOwner: number
  readonly #owners = new Map<string, Owner>()
  /** Those who wait and may have a slot, in the order of their turns. */
  readonly #turns = new Set<Owner>()
  #free: number

  constructor(slots: number, perOwner: number = slots) {
    this.#free = slots
    this.#perOwner = perOwner
  }

  /**
   * Runs `task` when `owner` gets a slot, and resolves or rejects as it does. Rejects with {@link NoSlotError}
   * where it has got none after `waitMs`.
   */
  async run<T>(owner: string, task: () => Promise<T>, waitMs?: number): Promise<T> {
    const entry = this.#owners.get(owner) ?? { running: 0, waiting: new Fifo<Waiter>() }
    this.#owners.set(owner, entry)
    if (this.#free > 0 && entry.running < this.#perOwner) {
      this.#free--
      entry.running++
    } else await this.#turnOf(entry, waitMs)
    try {
      return await task()
    } finally {
      entry.running--
      this.#free++
      this.#enlist(entry)
      this.#next()
      if (entry.running === 0 && entry.waiting.length === 0) this.#owners.delete(owner)
    }
  }

  #turnOf(entry: Owner, waitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { proceed: resolve, gone: false }
      if (waitMs !== undefined) {
        const timer = setTimeout(() => {
          waiter.gone = true
          reject(new NoSlotError())
        }, waitMs)
        waiter.proceed = () => {
          clearTimeout(timer)
          resolve()
        }
      }
      entry.waiting.push(waiter)
      this.#enlist(entry)
    })
  }

  #enlist(entry: Owner): void {
    if (entry.waiting.length > 0 && entry.running < this.#perOwner) this.#turns.add(entry)
  }

  /** Hands over what is free at once, so that nobody who comes meanwhile can take it first. */
  #next(): void {
    while (this.#free > 0) {
      const [entry] = this.#turns
      if (entry === undefined) return
      // To the end of the line, and out of it where it waits no more.
      this.#turns.delete(entry)
      const waiter = entry.waiting.shift()
      if (waiter?.gone === false) {
        this.#free--
        entry.running++
        waiter.proceed()
      }
      this.#enlist(entry)
    }
  }
}

/** There was no slot in time. */
export class NoSlotError extends Error {
  override readonly name = 'NoSlotError'
}

interface Owner {
  running: number
  readonly waiting: Fifo<Waiter>
}

interface Waiter {
  proceed: () => void
  /** It has stopped waiting. */
  gone: boolean
}
