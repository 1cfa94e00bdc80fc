import { ByteCollector } from '../bytes.ts'

/**
 * What is to be stored: whole in memory, or in pieces, each of which must stay as it was given. Pieces may throw: then
 * nothing is left behind, and the error is rethrown as it is. Where a store is refused, pieces may be left unread.
 */
export type Payload = Uint8Array | AsyncIterable<Uint8Array>

/** An error that the pieces of a payload threw, as `cause`; apart from those of the file system. */
export class PayloadFailure extends Error {
  override readonly name = 'PayloadFailure'
}

/**
 * The pieces of a payload of `length` bytes.
 *
 * @throws {PayloadFailure} where the pieces throw; Error where they are not `length` bytes in all
 */
export async function* pieces(
  payload: AsyncIterable<Uint8Array>,
  length: number,
): AsyncGenerator<Uint8Array> {
  let count = 0
  try {
    for await (const piece of payload) {
      count += piece.length
      if (count > length) break
      yield piece
    }
  } catch (error) {
    throw new PayloadFailure('the payload failed', { cause: error })
  }
  checkLength(count, length)
}

/** The same pieces, each shown to `look` on its way. */
export async function* watched(
  payload: AsyncIterable<Uint8Array>,
  look: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of payload) {
    look(piece)
    yield piece
  }
}

/** `payload`. Throws where it is not `length` bytes. */
export function whole(payload: Uint8Array, length: number): Uint8Array {
  checkLength(payload.length, length)
  return payload
}

/** All that comes in pieces, `length` bytes, in memory. Throws as {@link pieces}. */
export async function gathered(payload: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const collector = new ByteCollector()
  for await (const piece of pieces(payload, length)) collector.append(piece)
  return collector.take()
}

/** `bytes` in chunks of `chunkSize` but for the last, not copied. */
export async function* chunks(bytes: Uint8Array, chunkSize: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize)
}

function checkLength(found: number, length: number): void {
  if (found === length) return
  throw new Error(`the payload declares ${length} bytes; ${found > length ? 'more' : `only ${found}`} came`)
}
