import { Fifo } from './queue.ts'

/**
 * Fair semaphore: at most `slots` tasks run at once, and at most `perOwner` tasks of one owner. Owners with waiting
 * tasks take turns, so that an owner with many tasks does not delay the others by more than one turn.
 */
export class Semaphore {
  readonly #perOwner: number
  readonly #owners = new Map<string, Owner>()
  /** Owners with a waiting task that may run, in the order of their turns. */
  readonly #turns = new Set<Owner>()
  #free: number

  constructor(slots: number, perOwner: number = slots) {
    this.#free = slots
    this.#perOwner = perOwner
  }

  /**
   * Runs `task` when `owner` gets a slot; resolves or rejects as `task` does. Rejects with {@link NoSlotError} if there
   * is no slot within `waitMs` milliseconds.
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

  /** Hands over free slots immediately, so that a later call cannot take them first. */
  #next(): void {
    while (this.#free > 0) {
      const [entry] = this.#turns
      if (entry === undefined) return
      // The owner goes to the end of the line, or leaves it if no other task of it waits.
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

/** No slot was free in time. */
export class NoSlotError extends Error {
  override readonly name = 'NoSlotError'
}

interface Owner {
  running: number
  readonly waiting: Fifo<Waiter>
}

interface Waiter {
  proceed: () => void
  /** It no longer waits. */
  gone: boolean
}
