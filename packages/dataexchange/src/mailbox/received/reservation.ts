/** Bytes of the quota that are held for one file while it is written. */
export interface Reservation {
  /** Whether the whole declared length is reserved; otherwise only the bytes that have arrived are. */
  readonly isWhole: boolean
  /** Reserves this many more bytes; a negative number gives bytes back. */
  add(bytes: number): void
  /** Gives everything back. */
  release(): void
}

/**
 * The reservations of files that are being written. A file reserves the length that its sender declares, so that it
 * can be completed once it has begun. A declared length may be a lie, so the declared bytes of one sender are limited to
 * its share; past that share, files reserve only the bytes that have arrived.
 */
export class Reservations {
  readonly #share: number
  /** Declared bytes by sender. */
  readonly #declared = new Map<string, number>()
  #files = 0
  #bytes = 0

  /** `share` is the number of declared bytes that one sender may reserve. */
  constructor(share: number) {
    this.#share = share
  }

  /** Number of files with a reservation. */
  get files(): number {
    return this.#files
  }

  /** Number of reserved bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether a file of `length` bytes from the sender `from` fits into the sender's share. */
  isWithinShare(from: string, length: number): boolean {
    return (this.#declared.get(from) ?? 0) + length <= this.#share
  }

  /** Makes the reservation of a file; of its whole `length` only if `mayBeWhole` and within the sender's share. */
  reserve(from: string, length: number, mayBeWhole: boolean): Reservation {
    const isWhole = mayBeWhole && this.isWithinShare(from, length)
    if (isWhole) this.#declared.set(from, (this.#declared.get(from) ?? 0) + length)
    let reserved = isWhole ? length : 0
    this.#files++
    this.#bytes += reserved
    return {
      isWhole,
      add: bytes => {
        reserved += bytes
        this.#bytes += bytes
      },
      release: () => {
        this.#files--
        this.#bytes -= reserved
        if (isWhole) this.#releaseDeclared(from, length)
      },
    }
  }

  #releaseDeclared(from: string, length: number): void {
    const left = (this.#declared.get(from) ?? 0) - length
    if (left > 0) this.#declared.set(from, left)
    else this.#declared.delete(from)
  }
}
