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
 * so that what is begun can be finished. But lengths may be lies: past a sender's share, and its first file,
 * its files count with what has come of them.
 */
export class Room {
  readonly #share: number
  readonly #declared = new Map<string, number>()
  #bytes = 0

  constructor(share: number) {
    this.#share = share
  }

  /** Of all files. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes room for a file of `length` bytes from the sender `from`. */
  reserve(from: string, length: number): Reservation {
    const before = this.#declared.get(from)
    const isWhole = before === undefined || before + length <= this.#share
    if (isWhole) this.#declared.set(from, (before ?? 0) + length)
    let counted = isWhole ? length : 0
    this.#bytes += counted
    return {
      isWhole,
      take: bytes => {
        counted += bytes
        this.#bytes += bytes
      },
      release: () => {
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
