import { WireError } from '../../errors.ts'
import { decodeFileName, FILE_NAME_LENGTH_SIZE, fileNameLength } from '../../wire/file.ts'
import { FrameType } from '../../wire/frame.ts'
import { drainPayload, splitPayload } from '../payload.ts'
import type { IncomingFrame } from './handler.ts'

/**
 * Splits the file name off the payload of an inner FILE frame. Returns other frames as they are.
 *
 * @throws {WireError} FILENAME_MISSING, FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8, after the payload has been
 * drained
 */
export async function withFileName(frame: IncomingFrame): Promise<IncomingFrame> {
  if (frame.type !== FrameType.File) return frame
  let [head, rest] = await splitPayload(frame.payload, FILE_NAME_LENGTH_SIZE)
  try {
    const nameLength = fileNameLength(head, frame.length)
    if (nameLength === undefined) {
      throw new WireError('FILENAME_MISSING', 'the FILE payload has no room for the name it declares')
    }
    ;[head, rest] = await splitPayload(rest, nameLength)
    const length = frame.length - FILE_NAME_LENGTH_SIZE - nameLength
    return { ...frame, filename: decodeFileName(head), length, payload: rest }
  } catch (error) {
    await drainPayload(rest)
    throw error
  }
}
