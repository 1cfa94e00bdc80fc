import { Tally } from './tally.ts'

/** Room for so many bytes, of which one sender may take a part: one over `senders`. */
export class SharedRoom {
  readonly #most: number
  readonly #senders: number
  readonly #taken = new Tally()
  readonly #waiting = new Set<Waiter>()

  constructor(most: number, senders: number) {
    this.#most = most
    this.#senders = senders
  }

  /** Takes room for `bytes` more of the sender `from`, until {@link giveBack}. False where there is none: nothing is taken. */
  take(from: string, bytes: number): boolean {
    const all = this.#taken.all.bytes + bytes
    const own = this.#taken.of(from).bytes + bytes
    if (all > this.#most || own > this.#most / this.#senders) return false
    this.#taken.add(from, { files: 0, bytes })
    return true
  }

  /** Waits for room for up to `waitMs`; as {@link take} then. */
  async takeIn(waitMs: number, from: string, bytes: number): Promise<boolean> {
    if (this.take(from, bytes)) return true
    if (bytes > this.#most / this.#senders) return false
    return new Promise(resolve => {
      const end = (isTaken: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(waiter)
        resolve(isTaken)
      }
      const waiter = { look: () => this.take(from, bytes) && end(true) }
      const timer = setTimeout(end, waitMs, false)
      this.#waiting.add(waiter)
    })
  }

  giveBack(from: string, bytes: number): void {
    this.#taken.remove(from, { files: 0, bytes })
    for (const waiter of this.#waiting) waiter.look()
  }
}

interface Waiter {
  /** Takes its room, and waits no more, where there is some now. */
  look(): void
}
