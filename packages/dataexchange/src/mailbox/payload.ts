import { ByteCollector } from '../bytes.ts'

/**
 * The bytes to store, in memory or in pieces. A piece must not be changed once it was given. If the pieces throw,
 * nothing is stored and the error is rethrown. If the store is refused, pieces may be left unread.
 */
export type Payload = Uint8Array | AsyncIterable<Uint8Array>

/** Wraps an error thrown by the pieces of a payload, as `cause`, to tell it from errors of the file system. */
export class PayloadFailure extends Error {
  override readonly name = 'PayloadFailure'
}

/**
 * The pieces of a payload of `length` bytes.
 *
 * @throws {PayloadFailure} if the pieces throw
 * @throws {Error} if they are not `length` bytes in all
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

/** The same pieces, after a call of `inspect` for each. */
export async function* watched(
  payload: AsyncIterable<Uint8Array>,
  inspect: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of payload) {
    inspect(piece)
    yield piece
  }
}

/** Returns `payload`. Throws if it is not `length` bytes. */
export function whole(payload: Uint8Array, length: number): Uint8Array {
  checkLength(payload.length, length)
  return payload
}

/** Collects the pieces, `length` bytes, in memory. Throws like {@link pieces}. */
export async function gathered(payload: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const collector = new ByteCollector()
  for await (const piece of pieces(payload, length)) collector.append(piece)
  return collector.take()
}

/** Views of `bytes`, all but the last of `chunkSize` bytes. */
export async function* chunks(bytes: Uint8Array, chunkSize: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize)
}

function checkLength(found: number, length: number): void {
  if (found === length) return
  throw new Error(`the payload declares ${length} bytes; ${found > length ? 'more' : `only ${found}`} came`)
}
