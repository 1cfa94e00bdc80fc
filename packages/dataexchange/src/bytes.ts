/** Bytes of a kibibyte. */
export const KiB = 1024
/** Bytes of a mebibyte. */
export const MiB: number = 1024 * KiB
/** Bytes of a gibibyte. */
export const GiB: number = 1024 * MiB

/** Encodes `text` as UTF-8. Lone surrogates become U+FFFD. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Decodes `bytes`; undefined if they are not valid UTF-8. A byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Returns a DataView of exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Whether `value` is a whole number from 0 to 2^32 - 1. */
export function isU32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff
}

/** Concatenates `parts`. A single part is returned without a copy. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/**
 * Collects a payload that arrives in pieces. Memory follows the bytes that have arrived. Large pieces are kept without
 * a copy; small ones are copied together, so that a peer that sends single bytes does not cost an object for each.
 */
export class ByteCollector {
  #parts: Uint8Array[] = []
  #tail: Uint8Array = EMPTY
  #tailUsed = 0
  #length = 0

  /** The bytes collected so far. */
  get length(): number {
    return this.#length
  }

  /**
   * Appends `piece`. `whole` is the total size, if it is known: a small payload is collected in its final place.
   */
  append(piece: Uint8Array, whole = 0): void {
    if (this.#length === 0 && whole <= SMALL_WHOLE && piece.length <= whole) this.#tail = fromSlab(whole)
    this.#length += piece.length
    if (piece.length <= this.#tail.length - this.#tailUsed) {
      this.#tail.set(piece, this.#tailUsed)
      this.#tailUsed += piece.length
      return
    }
    let rest = piece
    while (rest.length > 0) {
      if (this.#tailUsed === this.#tail.length) this.#flushTail()
      // Fill a started block first: large pieces between small ones would leave it almost empty.
      if (this.#tailUsed === 0 && rest.length >= SMALL_PIECE) {
        this.#parts.push(rest)
        return
      }
      if (this.#tail.length === 0) this.#tail = new Uint8Array(BLOCKS[this.#parts.length] ?? LAST_BLOCK)
      const fits = rest.subarray(0, this.#tail.length - this.#tailUsed)
      this.#tail.set(fits, this.#tailUsed)
      this.#tailUsed += fits.length
      rest = rest.subarray(fits.length)
    }
  }

  /** Returns all bytes collected so far, and empties the collector. */
  take(): Uint8Array {
    this.#flushTail()
    const whole = this.#parts.length === 0 ? EMPTY : concat(this.#parts)
    this.#parts = []
    this.#length = 0
    return whole
  }

  #flushTail(): void {
    const tail = this.#tail
    if (this.#tailUsed > 0)
      this.#parts.push(this.#tailUsed === tail.length ? tail : tail.subarray(0, this.#tailUsed))
    this.#tail = EMPTY
    this.#tailUsed = 0
  }
}

/** Allocates from a shared block: an own block would cost more than a small payload. */
function fromSlab(length: number): Uint8Array {
  if (slabUsed + length > slab.length) {
    slab = new Uint8Array(SLAB_SIZE)
    slabUsed = 0
  }
  slabUsed += length
  return slab.subarray(slabUsed - length, slabUsed)
}

const SMALL_PIECE = 1024
const SMALL_WHOLE = 1024
const SLAB_SIZE = 8 * 1024
let slab: Uint8Array = new Uint8Array(0)
let slabUsed = 0
/** Most payloads of small pieces are short, and V8 allocates arrays of up to 64 bytes very cheaply. */
const BLOCKS = [64, 1024]
const LAST_BLOCK = 4096
const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()
// ignoreBOM keeps a U+FEFF at the beginning of a payload or a name.
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
