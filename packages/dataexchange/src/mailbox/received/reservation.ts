/** The room that one file takes while it is being written. */
export interface Reservation {
  /** Whether it has room for all of the file; else for what is taken only. */
  readonly isWhole: boolean
  /** Takes room for so many bytes more, or gives it back where there are less than none. */
  take(bytes: number): void
  release(): void
}

/**
 * Counts the room for files that are being written. Files count with the length that their sender declares,
 * so that what is begun can be finished. But lengths may be lies: past a sender's share, its files count with what
 * has come of them.
 */
export class Room {
  readonly #share: number
  readonly #declared = new Map<string, number>()
  #files = 0
  #bytes = 0

  constructor(share: number) {
    this.#share = share
  }

  get files(): number {
    return this.#files
  }

  /** Of all files. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a file of `length` bytes from the sender `from` would have room for all of it. */
  isWithinShare(from: string, length: number): boolean {
    return (this.#declared.get(from) ?? 0) + length <= this.#share
  }

  /** Takes room for a file of `length` bytes from the sender `from`: for all of it at once only where `mayBeWhole`. */
  reserve(from: string, length: number, mayBeWhole: boolean): Reservation {
    const isWhole = mayBeWhole && this.isWithinShare(from, length)
    if (isWhole) this.#declared.set(from, (this.#declared.get(from) ?? 0) + length)
    let counted = isWhole ? length : 0
    this.#files++
    this.#bytes += counted
    return {
      isWhole,
      take: bytes => {
        counted += bytes
        this.#bytes += bytes
      },
      release: () => {
        this.#files--
        this.#bytes -= counted
        if (isWhole) this.#giveBack(from, length)
      },
    }
  }

  #giveBack(from: string, length: number): void {
    const left = (this.#declared.get(from) ?? 0) - length
    if (left > 0) this.#declared.set(from, left)
    else this.#declared.delete(from)
  }
}
