import { Tally } from '../../disk/usage.ts'

/** Room for so many bytes, of which one sender may take a part: one over `senders`. */
export class SharedRoom {
  readonly #most: number
  readonly #senders: number
  readonly #taken = new Tally()
  /** Each takes its room where there is some now; it waits no more then, nor where it has nothing to wait for. */
  readonly #waiting = new Set<() => void>()

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

  /**
   * Waits for room for up to `waitMs`, and for no longer than `from` has some of it to give back: who waits for what
   * others have waits for as long as they like. As {@link take} then.
   */
  async takeIn(waitMs: number, from: string, bytes: number): Promise<boolean> {
    if (this.take(from, bytes)) return true
    if (!this.#hasSome(from) || bytes > this.#most / this.#senders) return false
    return new Promise(resolve => {
      const end = (isTaken: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(isTaken)
      }
      const look = () => {
        if (this.take(from, bytes)) end(true)
        else if (!this.#hasSome(from)) end(false)
      }
      const timer = setTimeout(end, waitMs, false)
      this.#waiting.add(look)
    })
  }

  giveBack(from: string, bytes: number): void {
    this.#taken.remove(from, { files: 0, bytes })
    for (const look of this.#waiting) look()
  }

  #hasSome(from: string): boolean {
    return this.#taken.of(from).bytes > 0
  }
}
