import { decodeUtf8, viewOf } from '../bytes.ts'
import { DeliveryError } from '../errors.ts'
import { parseAnswer } from '../wire/ack.ts'
import { FILE_NAME_LENGTH_SIZE } from '../wire/file.ts'
import { type Frame, FrameType, typeName } from '../wire/frame.ts'
import { decodeTraceAnswer, readTracePayload, type TraceAnswer } from '../wire/trace.ts'
import type { Outgoing } from './outgoing.ts'

/** The peer's acknowledgement of a delivered message: it has stored it `[ack.durable]`. */
export interface Receipt {
  /** The frame's type as the peer named it: `TEXT`, `FILE`, ...; for a TRACE the inner type. */
  type: string
  /** Bytes of the payload that the peer counted; for FILE without the name. */
  size: number
  /** True if the peer had this message already, by its id, and stored no second copy `[tagged.duplicate]`. */
  duplicate: boolean
  /** The text of the answer; for a TRACE its `inner_ack`. */
  answer: string
  /** The times of each step, for a TRACE. */
  trace?: TraceAnswer
  /** The message's id, if it had one. */
  messageId?: string
  /**
   * True if the peer accepted the ids. False if there were none, or the peer does not support them and got the message
   * without: then a message that is sent again is stored twice.
   */
  idAccepted: boolean
  /** True if the answer to the first try was lost, and this answers the second, under the same id `[tagged.resend]`. */
  resent: boolean
}

/** The part of a receipt that the answer contains. */
export type ReceiptFacts = Omit<Receipt, 'messageId' | 'idAccepted' | 'resent'>

/** The properties of a sent frame that its answer must match. */
export interface Sent {
  readonly type: number
  /** The byte counts that an answer may have. */
  readonly counts: readonly number[]
}

/** The properties of `outgoing` that its answer must match. */
export function sentIn({ head, payload }: Outgoing): Sent {
  const { type, length } = head
  if (type !== FrameType.Trace || !(payload instanceof Uint8Array)) return { type, counts: [length] }
  return { type, counts: tracedCounts(payload) }
}

/**
 * Parses the answer to a sent frame.
 *
 * @throws {DeliveryError} PEER_REFUSED, PEER_UNSUPPORTED; ANSWER_INVALID for an invalid answer, and one to
 * another frame: of another type or number of bytes `[ack.count-checked]`
 */
export function readReceipt(sent: Sent, answer: Frame): ReceiptFacts {
  const text = decodeUtf8(answer.payload)
  if (text === undefined) {
    throw new DeliveryError(
      'ANSWER_INVALID',
      `the peer answered with a ${typeName(answer.type)} that is not text`,
    )
  }
  if (sent.type === FrameType.Trace && answer.type === FrameType.JSON) {
    const trace = decodeTraceAnswer(text)
    return { ...checkCount(readText(trace.innerAck), sent), trace }
  }
  if (answer.type !== FrameType.Text) {
    throw new DeliveryError(
      'ANSWER_INVALID',
      `the peer answered with a ${typeName(answer.type)} frame, not with TEXT`,
    )
  }
  const receipt = readText(text)
  if (receipt.type !== typeName(sent.type)) {
    throw new DeliveryError('ANSWER_INVALID', `a ${typeName(sent.type)} was answered with: ${text}`, {
      answer: text,
    })
  }
  return checkCount(receipt, sent)
}

/**
 * The count for a TRACE is the size of the inner payload. For a FILE the original counts the name and its length field,
 * too, since it stores them.
 */
function tracedCounts(payload: Uint8Array): readonly number[] {
  const { innerType, payload: inner } = readTracePayload({ type: FrameType.Trace, payload })
  if (innerType !== FrameType.File || inner.length < FILE_NAME_LENGTH_SIZE) return [inner.length]
  return [inner.length - FILE_NAME_LENGTH_SIZE - viewOf(inner).getUint16(0), inner.length]
}

function checkCount(receipt: ReceiptFacts, { counts }: Sent): ReceiptFacts {
  if (counts.includes(receipt.size)) return receipt
  throw new DeliveryError(
    'ANSWER_INVALID',
    `${counts[0]} bytes were sent; the peer answered for another number: ${receipt.answer}`,
    { answer: receipt.answer },
  )
}

function readText(text: string): ReceiptFacts {
  const answer = parseAnswer(text)
  switch (answer.kind) {
    case 'ack':
      return { type: answer.name, size: answer.bytes, duplicate: answer.duplicate, answer: text }
    case 'ack-reply':
      return { type: answer.name, size: answer.bytes, duplicate: false, answer: text }
    case 'unsupported':
      throw new DeliveryError('PEER_UNSUPPORTED', `the peer does not know this frame type: ${text}`, {
        answer: text,
      })
    case 'err':
      throw new DeliveryError('PEER_REFUSED', `the peer did not store it: ${answer.reason}`, { answer: text })
    case 'other':
      throw new DeliveryError('ANSWER_INVALID', `invalid answer from the peer: ${shorten(text)}`, {
        answer: text,
      })
  }
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}

export function isAckReply({ payload }: Frame): boolean {
  return parseAnswer(decodeUtf8(payload) ?? '').kind === 'ack-reply'
}

/** True if the answer to a TAGGED frame says that the peer does not know the type. */
export function isUnknownTagged({ payload }: Frame): boolean {
  const answer = parseAnswer(decodeUtf8(payload) ?? '')
  return answer.kind === 'unsupported' && answer.type === FrameType.Tagged
}
