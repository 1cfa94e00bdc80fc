import { FrameType, typeName } from './frame.ts'

/** An answer to a frame, read (section 2). */
export type Answer =
  /** Stored, or nothing to store. `bytes` is what the receiver counted. */
  | { kind: 'ack'; name: string; bytes: number; duplicate: boolean; text: string }
  /** A request that is being answered, not stored: its reply is the next frame (section 6). */
  | { kind: 'ack-reply'; name: string; bytes: number; text: string }
  /** Not stored; `reason` is the receiver's. */
  | { kind: 'err'; reason: string; text: string }
  /** The receiver does not know `type` and stored nothing, whichever way it put that. */
  | { kind: 'unsupported'; type: number; text: string }
  /** No answer of section 2. */
  | { kind: 'other'; text: string }

/** `ACK <NAME> <n> bytes`: stored, or nothing to store. */
export function ackText(type: number, bytes: number): string {
  return `ACK ${typeName(type)} ${bytes} bytes`
}

/** The answer to a frame that was stored before, under the same message id (section 5). */
export function duplicateText(type: number, bytes: number): string {
  return `${ackText(type, bytes)} (duplicate)`
}

/** `ACK+REPLY AUTOANSWER <n> bytes`: a request that is being answered; the reply follows (section 6). */
export function ackReplyText(bytes: number): string {
  return `ACK+REPLY ${typeName(FrameType.AutoAnswer)} ${bytes} bytes`
}

/** `ERR <NAME> save failed: <why>`: not stored. */
export function errText(type: number, why: string): string {
  return `ERR ${typeName(type)} save failed: ${why}`
}

/**
 * The answer to a type that is not stored. It names the type by its number even where it has a name:
 * senders look for `UNKNOWN(n)` to fall back to what the receiver does know.
 */
export function unsupportedText(type: number): string {
  return `ERR UNKNOWN(${type}) save failed: unsupported frame type ${type}`
}

/** The answer to a TRACE whose payload cannot be read. */
export function traceErrText(why: string): string {
  return `ERR trace parse: ${why}`
}

/** Reads an answer's text. The original acknowledges unknown types and stores nothing: that is `unsupported` here. */
export function parseAnswer(text: string): Answer {
  const unknown = /^(?:ACK|ERR) UNKNOWN\((\d+)\)/.exec(text)
  if (unknown) return { kind: 'unsupported', type: Number(unknown[1]), text }
  const ack = /^ACK ([A-Z]+) (\d+) bytes( \(duplicate\))?$/.exec(text)
  if (ack) {
    return { kind: 'ack', name: ack[1]!, bytes: Number(ack[2]), duplicate: ack[3] !== undefined, text }
  }
  const reply = /^ACK\+REPLY ([A-Z]+) (\d+) bytes$/.exec(text)
  if (reply) return { kind: 'ack-reply', name: reply[1]!, bytes: Number(reply[2]), text }
  const err = /^ERR (?:[A-Z]+ save failed: )?(.*)$/s.exec(text)
  if (err) return { kind: 'err', reason: err[1]!, text }
  return { kind: 'other', text }
}
