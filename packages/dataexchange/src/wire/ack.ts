import { FrameType, typeName } from './frame.ts'

/** A parsed answer to a frame `[ack.form]`. */
export type Answer =
  /** Stored, or nothing to store. `bytes` is the size that the receiver counted. */
  | { kind: 'ack'; name: string; bytes: number; duplicate: boolean; text: string }
  /** A request that is being answered and not stored: the reply is the next frame `[autoanswer.ack-reply]`. */
  | { kind: 'ack-reply'; name: string; bytes: number; text: string }
  /** Not stored; `reason` is the text of the receiver. */
  | { kind: 'err'; reason: string; text: string }
  /** The receiver does not know `type` and stored nothing; both forms of this answer are recognised. */
  | { kind: 'unsupported'; type: number; text: string }
  /** A text that is not an answer. */
  | { kind: 'other'; text: string }

/** Returns `ACK <NAME> <n> bytes`: stored, or nothing to store `[ack.form]`. */
export function ackText(type: number, bytes: number): string {
  return `ACK ${typeName(type)} ${bytes} bytes`
}

/** Returns the answer to a frame that was already stored under the same message id `[ack.duplicate-form]`. */
export function duplicateText(type: number, bytes: number): string {
  return `${ackText(type, bytes)} (duplicate)`
}

/** Returns `ACK+REPLY AUTOANSWER <n> bytes`: the reply follows `[autoanswer.ack-reply]`. */
export function ackReplyText(bytes: number): string {
  return `ACK+REPLY ${typeName(FrameType.AutoAnswer)} ${bytes} bytes`
}

/** Returns `ERR <NAME> save failed: <why>`: not stored `[ack.err-form]`. */
export function errText(type: number, why: string): string {
  return `ERR ${typeName(type)} save failed: ${why}`
}

/**
 * Returns the answer to a type that is not stored `[ack.unknown]`. It has the number of the type even if the type has a
 * name: senders look for `UNKNOWN(n)` to fall back to a type that the receiver knows.
 */
export function unsupportedText(type: number): string {
  return `ERR UNKNOWN(${type}) save failed: unsupported frame type ${type}`
}

/** Returns the answer to a TRACE whose payload cannot be read `[ack.trace-short]`. */
export function traceErrText(why: string): string {
  return `ERR trace parse: ${why}`
}

/**
 * Parses the text of an answer. The original acknowledges unknown types and stores nothing: the result is
 * `unsupported`.
 */
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
