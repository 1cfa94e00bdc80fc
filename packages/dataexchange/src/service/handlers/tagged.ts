import {
  decodeTaggedHead,
  TAGGED_LENGTH_SIZE,
  TAGGED_TYPE_SIZE,
  taggedHeaderLength,
} from '../../wire/tagged.ts'
import { drainPayload, splitPayload } from '../payload.ts'
import type { IncomingFrame } from './handler.ts'

/**
 * Unwraps the inner frame of a TAGGED one, with its ids. It is then handled like a plain frame `[tagged.answer]`.
 *
 * @throws {WireError} TAGGED_INVALID, MESSAGE_ID_INVALID, after the payload has been drained
 */
export async function unwrapTagged(frame: IncomingFrame): Promise<IncomingFrame> {
  let [head, rest] = await splitPayload(frame.payload, TAGGED_LENGTH_SIZE)
  try {
    const headerLength = taggedHeaderLength(head)
    ;[head, rest] = await splitPayload(rest, headerLength + TAGGED_TYPE_SIZE)
    const { innerType, ...ids } = decodeTaggedHead(head, headerLength)
    const length = frame.length - TAGGED_LENGTH_SIZE - headerLength - TAGGED_TYPE_SIZE
    return { ...frame, ...ids, type: innerType, length, payload: rest }
  } catch (error) {
    await drainPayload(rest)
    throw error
  }
}
