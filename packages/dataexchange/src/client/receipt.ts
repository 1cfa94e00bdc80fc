import { decodeUtf8, viewOf } from '../bytes.ts'
import { DeliveryError } from '../errors.ts'
import { parseAnswer } from '../wire/ack.ts'
import { FILE_NAME_LENGTH_SIZE } from '../wire/file.ts'
import { type Frame, FrameType, typeName } from '../wire/frame.ts'
import { decodeTraceAnswer, readTracePayload, type TraceAnswer } from '../wire/trace.ts'
import type { Outgoing } from './outgoing.ts'

/** What the receiver said of a delivered frame: it is stored (section 2). */
export interface Receipt {
  /** The frame's type, as the receiver named it: `TEXT`, `FILE`, ...; for a TRACE the type inside. */
  type: string
  /** Bytes of the payload that the receiver counted; for FILE without the name. */
  bytes: number
  /** True where the receiver had this message already, by its id, and stored no second copy. */
  duplicate: boolean
  /** The answer as it came; for a TRACE its `inner_ack`. */
  answer: string
  /** When each step was done, where the frame was a TRACE. */
  trace?: TraceAnswer
  /** The id that it was sent under, where it was. */
  messageId?: string
  /**
   * True where the peer took the ids. False also where it does not know them and the frame was sent without: then
   * it stores what is sent again a second time.
   */
  tagged: boolean
  /** True where no answer to the first try came, and this is the answer to the second, under the same id. */
  resent: boolean
}

/** What the answer to a frame tells. */
export type ReceiptFacts = Omit<Receipt, 'messageId' | 'tagged' | 'resent'>

/** What was sent, as far as its answer must fit it. */
export interface Sent {
  readonly type: number
  /** The byte counts that an answer may name. */
  readonly counts: readonly number[]
}

/** What must be true of the answer to `outgoing`. */
export function sentIn({ head, payload }: Outgoing): Sent {
  const { type, length } = head
  if (type !== FrameType.Trace || !(payload instanceof Uint8Array)) return { type, counts: [length] }
  return { type, counts: tracedCounts(payload) }
}

/**
 * Reads the answer to what was `sent`.
 *
 * @throws {DeliveryError} PEER_REFUSED, PEER_UNSUPPORTED; ANSWER_INVALID for what is no answer, or one to something
 * else: of another type or with another number of bytes
 */
export function readReceipt(sent: Sent, answer: Frame): ReceiptFacts {
  const text = decodeUtf8(answer.payload)
  if (text === undefined) {
    throw new DeliveryError(
      'ANSWER_INVALID',
      `the peer answered with a ${typeName(answer.type)} that is no text`,
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
 * The count of a frame inside a TRACE is that of its payload; the original counts a FILE's name and its length
 * field too, since it stores them (section 2).
 */
function tracedCounts(payload: Uint8Array): readonly number[] {
  const { innerType, payload: inner } = readTracePayload({ type: FrameType.Trace, payload })
  if (innerType !== FrameType.File || inner.length < FILE_NAME_LENGTH_SIZE) return [inner.length]
  return [inner.length - FILE_NAME_LENGTH_SIZE - viewOf(inner).getUint16(0), inner.length]
}

function checkCount(receipt: ReceiptFacts, { counts }: Sent): ReceiptFacts {
  if (counts.includes(receipt.bytes)) return receipt
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
      return { type: answer.name, bytes: answer.bytes, duplicate: answer.duplicate, answer: text }
    case 'ack-reply':
      return { type: answer.name, bytes: answer.bytes, duplicate: false, answer: text }
    case 'unsupported':
      throw new DeliveryError('PEER_UNSUPPORTED', `the peer does not know this frame type: ${text}`, {
        answer: text,
      })
    case 'err':
      throw new DeliveryError('PEER_REFUSED', `the peer did not store it: ${answer.reason}`, { answer: text })
    case 'other':
      throw new DeliveryError('ANSWER_INVALID', `the peer gave an answer that is none: ${shorten(text)}`, {
        answer: text,
      })
  }
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text)
}
