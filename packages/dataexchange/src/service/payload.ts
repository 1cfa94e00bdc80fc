import { concat } from '../bytes.ts'
import { WireError } from '../errors.ts'
import type { Payload } from '../mailbox/mailbox.ts'

/** Splits `payload` into its first `size` bytes (fewer if it is shorter) and the rest. */
export async function splitPayload(
  payload: Payload,
  size: number,
): Promise<[head: Uint8Array, rest: Payload]> {
  if (payload instanceof Uint8Array) return [payload.subarray(0, size), payload.subarray(size)]
  const iterator = payload[Symbol.asyncIterator]()
  const parts: Uint8Array[] = []
  let have = 0
  while (have < size) {
    const { done, value } = await iterator.next()
    if (done) break
    parts.push(value)
    have += value.length
  }
  const start = parts.length === 0 ? new Uint8Array(0) : concat(parts)
  return [start.subarray(0, size), rejoin(start.subarray(size), iterator)]
}

/** Reads `payload` to its end and drops it. Rejects if the payload is cut off. */
export async function drainPayload(payload: Payload): Promise<void> {
  if (payload instanceof Uint8Array) return
  for await (const _ of payload);
}

/** True for the error of a payload that ended before its declared length. The peer has left, so nothing is answered. */
export function isCutOff(error: unknown): boolean {
  return error instanceof WireError && error.code === 'FRAME_TRUNCATED'
}

async function* rejoin(
  first: Uint8Array,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (first.length > 0) yield first
    for (;;) {
      const { done, value } = await iterator.next()
      if (done) return
      yield value
    }
  } finally {
    await iterator.return?.()
  }
}
