import { Tally } from '../../disk/usage.ts'

/** A budget of bytes for all senders, of which one sender can take a fraction: one over `senders`. */
export class ByteShare {
  readonly #max: number
  readonly #senders: number
  readonly #taken = new Tally()
  /** Called whenever bytes are released. Each call stops by itself once it has its bytes or no reason to wait. */
  readonly #waiting = new Set<() => void>()

  constructor(max: number, senders: number) {
    this.#max = max
    this.#senders = senders
  }

  /** Takes `bytes` more for the sender `from`, until {@link release}. False, and nothing is taken, if they do not fit. */
  acquire(from: string, bytes: number): boolean {
    const all = this.#taken.all.bytes + bytes
    const own = this.#taken.of(from).bytes + bytes
    if (all > this.#max || own > this.#max / this.#senders) return false
    this.#taken.add(from, { files: 0, bytes })
    return true
  }

  /**
   * Like {@link acquire}, but waits up to `waitMs` as long as `from` itself holds bytes. The bytes of other senders are
   * not waited for: they are held for as long as those senders like.
   */
  async acquireWithin(waitMs: number, from: string, bytes: number): Promise<boolean> {
    if (this.acquire(from, bytes)) return true
    if (!this.#holdsBytes(from) || bytes > this.#max / this.#senders) return false
    return new Promise(resolve => {
      const end = (isAcquired: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(retry)
        resolve(isAcquired)
      }
      const retry = () => {
        if (this.acquire(from, bytes)) end(true)
        else if (!this.#holdsBytes(from)) end(false)
      }
      const timer = setTimeout(end, waitMs, false)
      this.#waiting.add(retry)
    })
  }

  release(from: string, bytes: number): void {
    this.#taken.remove(from, { files: 0, bytes })
    for (const retry of this.#waiting) retry()
  }

  #holdsBytes(from: string): boolean {
    return this.#taken.of(from).bytes > 0
  }
}
