import { isUtf8 } from 'node:buffer'

/** Checks whether the concatenation of pieces is valid UTF-8. A piece may end inside a code point. */
export class Utf8Check {
  #valid = true
  /** The incomplete code point at the end of the last piece. */
  #open: number[] = []

  push(piece: Uint8Array): void {
    if (!this.#valid || piece.length === 0) return
    const rest = this.#open.length === 0 ? piece : this.#complete(piece)
    const cut = rest.length - openLength(rest)
    this.#valid &&= isUtf8(rest.subarray(0, cut))
    this.#open.push(...rest.subarray(cut))
  }

  /** Whether all pieces so far are valid, and the last one ended with a whole code point. */
  get valid(): boolean {
    return this.#valid && this.#open.length === 0
  }

  /** Completes the open code point from the start of `piece`, and returns the rest of `piece`. */
  #complete(piece: Uint8Array): Uint8Array {
    const missing = expectedLength(this.#open[0]!) - this.#open.length
    this.#open.push(...piece.subarray(0, missing))
    if (piece.length >= missing) {
      this.#valid = isUtf8(Uint8Array.from(this.#open))
      this.#open = []
    }
    return piece.subarray(missing)
  }
}

/** The length of the incomplete code point at the end of `bytes`. */
function openLength(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if (byte >= 0xc0) return expectedLength(byte) > back ? back : 0
    if (byte < 0x80) return 0
  }
  return 0
}

function expectedLength(lead: number): number {
  if (lead >= 0xf0) return 4
  return lead >= 0xe0 ? 3 : 2
}
