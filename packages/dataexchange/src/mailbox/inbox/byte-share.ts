import { UsageBySender } from '../../disk/usage.ts'

/** A budget of bytes for all senders, of which one sender can take a fraction: one over `senders`. */
export class ByteShare {
  readonly #max: number
  readonly #senders: number
  readonly #taken = new UsageBySender()

  constructor(max: number, senders: number) {
    this.#max = max
    this.#senders = senders
  }

  /**
   * Takes `bytes` more for the sender `from`, until {@link release}. False, and nothing is taken, if they do not fit.
   */
  acquire(from: string, bytes: number): boolean {
    const all = this.#taken.all.bytes + bytes
    const own = this.#taken.of(from).bytes + bytes
    if (all > this.#max || own > this.#max / this.#senders) return false
    this.#taken.add(from, { files: 0, bytes })
    return true
  }

  release(from: string, bytes: number): void {
    this.#taken.remove(from, { files: 0, bytes })
  }
}
