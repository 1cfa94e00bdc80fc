import { decodeUtf8 } from '../../bytes.ts'
import type { ErrorCode } from '../../error-codes.ts'
import { DeliveryError, DriverError, PilotError, WireError } from '../../errors.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import type { Stream } from '../../pilot/transport.ts'
import { decodeFileStream, type FileStreamMessage } from '../../wire/file-stream.ts'
import { type Frame, FrameType, typeName } from '../../wire/frame.ts'
import { readFrame } from '../../wire/frame-io.ts'
import { closedError } from '../pending-answers.ts'

/** An answer of the receiver: a message of the transfer, or `other` with a description. */
export type Answer = FileStreamMessage | { kind: 'other'; text: string }

/**
 * The next answer to the transfer `id`.
 *
 * @throws {DeliveryError} CONNECTION_CLOSED if the connection ended; ANSWER_INVALID for an invalid frame
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
    // Answers are short, except for a text.
    frame = await readFrame(stream, { maxFrameSize: FIXED_LIMITS.wholeFrame.value })
  } catch (cause) {
    if (!(cause instanceof WireError) || cause.code === 'FRAME_TRUNCATED') throw closedError(cause)
    throw new DeliveryError('ANSWER_INVALID', `the peer’s answer is not a frame: ${cause.message}`, { cause })
  }
  if (frame === null) throw closedError(undefined)
  return frame
}

function inWords({ type, payload }: Frame): string {
  const text = type === FrameType.Text ? decodeUtf8(payload) : undefined
  return text === undefined ? `with a ${typeName(type)} frame` : JSON.stringify(text.slice(0, MOST_SHOWN))
}

const MOST_SHOWN = 200

/** True if the connection was lost: another may succeed. */
export function isLost(error: unknown): error is DeliveryError {
  return error instanceof DeliveryError && error.code === 'CONNECTION_CLOSED'
}

/** True if the daemon, not the peer, ended the connection. */
export function isDaemonGone({ cause }: DeliveryError): boolean {
  return cause instanceof DriverError && cause.code === 'DAEMON_GONE'
}

/** The error of a receiver that refuses the file, with its reason. */
export function refused(message: string): DeliveryError {
  const why = message === '' ? 'it gave no reason' : message
  return new DeliveryError('PEER_REFUSED', `the peer refused the file: ${why}`, { answer: message })
}

/** The error of an impossible answer. */
export function invalid(why: string): DeliveryError {
  return new DeliveryError('ANSWER_INVALID', `the transfer cannot go on: ${why}`)
}

/** The text of ABORT for `error`. Never the error's message, which may contain a path. */
export function abortReason(error: unknown): string {
  return (error instanceof PilotError && ABORT_REASONS[error.code]) || 'the sender has failed'
}

const ABORT_REASONS: Partial<Record<ErrorCode, string>> = {
  ABORTED: 'the sender has cancelled it',
  SOURCE_CHANGED: 'the file has changed',
  SOURCE_UNREADABLE: 'the file cannot be read',
  ANSWER_INVALID: 'an invalid answer',
}
