import { decodeUtf8 } from '../../bytes.ts'
import type { ErrorCode } from '../../error-codes.ts'
import { DeliveryError, DriverError, PilotError, WireError } from '../../errors.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import type { Stream } from '../../pilot/transport.ts'
import { decodeFileStream, type FileStreamMessage } from '../../wire/file-stream.ts'
import { type Frame, FrameType, typeName } from '../../wire/frame.ts'
import { readFrame } from '../../wire/frame-io.ts'
import { closedError } from '../pending-answers.ts'

/** What a receiver said: of the transfer, or (`other`, in words) something else. */
export type Answer = FileStreamMessage | { kind: 'other'; text: string }

/**
 * The next answer to the transfer `id`.
 *
 * @throws {DeliveryError} CONNECTION_CLOSED where the connection ended; ANSWER_INVALID for what is no frame
 */
export async function readAnswer(stream: Stream, id: Uint8Array): Promise<Answer> {
  const frame = await nextFrame(stream)
  if (frame.type !== FrameType.FileStream) return { kind: 'other', text: inWords(frame) }
  try {
    const message = decodeFileStream(frame.payload)
    const isOurs = message.id.every((byte, at) => byte === id[at])
    return isOurs ? message : { kind: 'other', text: 'for another transfer' }
  } catch (error) {
    if (error instanceof WireError) return { kind: 'other', text: 'with a malformed FILESTREAM frame' }
    throw error
  }
}

async function nextFrame(stream: Stream): Promise<Frame> {
  let frame: Frame | null
  try {
    // Answers are short, but for a message in words.
    frame = await readFrame(stream, { maxFrameSize: FIXED_LIMITS.wholeFrame.value })
  } catch (cause) {
    if (!(cause instanceof WireError) || cause.code === 'FRAME_TRUNCATED') throw closedError(cause)
    throw new DeliveryError('ANSWER_INVALID', `the peer answered with no frame: ${cause.message}`, { cause })
  }
  if (frame === null) throw closedError(undefined)
  return frame
}

function inWords({ type, payload }: Frame): string {
  const text = type === FrameType.Text ? decodeUtf8(payload) : undefined
  return text === undefined ? `with a ${typeName(type)} frame` : JSON.stringify(text.slice(0, MOST_SHOWN))
}

const MOST_SHOWN = 200

/** True for the loss of a connection, after which another may do better. */
export function isLost(error: unknown): error is DeliveryError {
  return error instanceof DeliveryError && error.code === 'CONNECTION_CLOSED'
}

/** True where it was not the peer that ended the connection. */
export function isDaemonGone({ cause }: DeliveryError): boolean {
  return cause instanceof DriverError && cause.code === 'DAEMON_GONE'
}

/** The receiver will not have the file, and says why in `message`. */
export function refused(message: string): DeliveryError {
  const why = message === '' ? 'it gave no reason' : message
  return new DeliveryError('PEER_REFUSED', `the peer did not take the file: ${why}`, { answer: message })
}

/** The receiver says what cannot be. */
export function invalid(why: string): DeliveryError {
  return new DeliveryError('ANSWER_INVALID', `the transfer cannot go on: ${why}`)
}

/** What a receiver is told of `error` with ABORT: never what the error says, which may name a path. */
export function abortReason(error: unknown): string {
  return (error instanceof PilotError && ABORT_REASONS[error.code]) || 'the sender has failed'
}

const ABORT_REASONS: Partial<Record<ErrorCode, string>> = {
  ABORTED: 'the sender has cancelled it',
  SOURCE_CHANGED: 'the file has changed',
  SOURCE_UNREADABLE: 'the file cannot be read',
  ANSWER_INVALID: 'an answer that is none',
}
