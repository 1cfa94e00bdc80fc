import { PilotError } from '../errors.ts'

/**
 * Returns whether the peer may have the message whose delivery or request failed with `error`. If not, it can be sent
 * again under any id. If it may, send it again under the same `messageId` only, which a peer that knows ids stores once
 * `[tagged.duplicate]`.
 *
 * An error of the connection counts even if the frame was not written to its end, and so does any error that is not of
 * this library: only the peer knows.
 */
export function mayBeStored(error: unknown): boolean {
  return error instanceof PilotError ? UNDECIDED.has(error.code) : true
}

const UNDECIDED: ReadonlySet<string> = new Set([
  // No answer, or not one that says what became of the message.
  'ANSWER_TIMED_OUT',
  'ANSWER_INVALID',
  'TRACE_ANSWER_INVALID',
  'FRAME_TRUNCATED',
  'CONNECTION_CLOSED',
  // It was acknowledged; only the reply is missing.
  'REPLY_TIMED_OUT',
  // This side gave up, or lost the connection, at any time.
  'ABORTED',
  'DAEMON_GONE',
  'DRIVER_CLOSED',
  'STREAM_CLOSED',
  'STREAM_STALLED',
])
