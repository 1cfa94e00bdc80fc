import { Tally } from './tally.ts'

/** Room for so many bytes, of which one sender may take a part: one over `senders`. */
export class SharedRoom {
  readonly #most: number
  readonly #senders: number
  readonly #taken = new Tally()

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

  giveBack(from: string, bytes: number): void {
    this.#taken.remove(from, { files: 0, bytes })
  }
}
