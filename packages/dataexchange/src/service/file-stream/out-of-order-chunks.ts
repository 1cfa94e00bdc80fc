import { KiB } from '../../bytes.ts'
import type { ByteBudget } from '../peers/byte-budget.ts'

/** Out-of-order chunks of one transfer that are kept; more of them end the transfer. @limit bytes */
export const TRANSFER_HELD: number = 768 * KiB

/** The chunks of one transfer that have come before those in front of them (section 4), in memory. */
export class OutOfOrderChunks {
  readonly #budget: ByteBudget
  readonly #chunks = new Map<number, Uint8Array>()
  #held = 0

  /** What is held counts into `budget`. */
  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  /** Keeps a copy of `bytes`, which are to lie at `offset`, and returns true; false where that is too much. */
  add(offset: number, bytes: Uint8Array): boolean {
    const before = this.#chunks.get(offset)
    if (before !== undefined && before.length >= bytes.length) return true
    const more = costOf(bytes) - (before === undefined ? 0 : costOf(before))
    if (this.#held + more > TRANSFER_HELD) return false
    // A view would keep all of the buffer that it is of; slice() of a Buffer is one.
    this.#chunks.set(offset, new Uint8Array(bytes))
    this.#hold(more)
    return true
  }

  /** Bytes that lie at `cursor`, if there are any, held no longer; what lies in front of it is dropped. */
  take(cursor: number): Uint8Array | undefined {
    for (const [offset, bytes] of this.#chunks) {
      if (offset > cursor) continue
      this.#chunks.delete(offset)
      this.#hold(-costOf(bytes))
      if (offset + bytes.length > cursor) return bytes.subarray(cursor - offset)
    }
    return undefined
  }

  clear(): void {
    this.#chunks.clear()
    this.#hold(-this.#held)
  }

  #hold(bytes: number): void {
    this.#held += bytes
    if (bytes >= 0) this.#budget.hold(bytes)
    else this.#budget.release(-bytes)
  }
}

/** Many tiny chunks take more than their bytes. */
function costOf(bytes: Uint8Array): number {
  return bytes.length + CHUNK_COST
}

const CHUNK_COST = 1024
