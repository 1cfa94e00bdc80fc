import { KiB } from '../../bytes.ts'
import type { ByteBudget } from '../peers/byte-budget.ts'

/** Size of the out-of-order chunks of one transfer in memory; more of them end the transfer. @limit bytes */
export const TRANSFER_HELD: number = 768 * KiB

/** Chunks of one transfer beyond its contiguous bytes, in memory `[stream.receive-ahead]`. */
export class OutOfOrderChunks {
  readonly #budget: ByteBudget
  readonly #chunks = new Map<number, Uint8Array>()
  #held = 0

  /** The chunks count into `budget`. */
  constructor(budget: ByteBudget) {
    this.#budget = budget
  }

  /** Keeps a copy of `bytes` at `offset`. Returns false if that exceeds the limit. */
  add(offset: number, bytes: Uint8Array): boolean {
    const before = this.#chunks.get(offset)
    if (before !== undefined && before.length >= bytes.length) return true
    const more = costOf(bytes) - (before === undefined ? 0 : costOf(before))
    if (this.#held + more > TRANSFER_HELD) return false
    // A view, such as slice() of a Buffer, would keep its whole buffer in memory.
    this.#chunks.set(offset, new Uint8Array(bytes))
    this.#hold(more)
    return true
  }

  /** Removes and returns the bytes at `cursor`, if there are any. Drops chunks before it. */
  take(cursor: number): Uint8Array | undefined {
    for (const [offset, bytes] of this.#chunks) {
      if (offset > cursor) continue
      this.#chunks.delete(offset)
      this.#hold(-costOf(bytes))
      if (offset + bytes.length > cursor) return bytes.subarray(cursor - offset)
    }
    return undefined
  }

  /** Drops all chunks. */
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

/** The memory of a chunk: its bytes and a fixed overhead. */
function costOf(bytes: Uint8Array): number {
  return bytes.length + CHUNK_COST
}

const CHUNK_COST = 1024
