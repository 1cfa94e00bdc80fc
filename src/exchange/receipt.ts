import { decodeUtf8 } from '../bytes.ts'
import { DeliveryError } from '../errors.ts'
import { parseAnswer } from '../wire/ack.ts'
import { type Frame, FrameType, typeName } from '../wire/frame.ts'
import { decodeTraceAnswer, type TraceAnswer } from '../wire/trace.ts'

/** What the receiver said of a delivered frame: it is stored (section 2). */
export interface Receipt {
  /** The frame's type, as the receiver named it: `TEXT`, `FILE`, ...; for a TRACE the type inside. */
  type: string
  /** Bytes of the payload that the receiver counted; for FILE without the name. */
  bytes: number
  /** True where the receiver had this message already and stored no second copy. */
  duplicate: boolean
  /** The answer as it came; for a TRACE its `inner_ack`. */
  answer: string
  /** When each step was done, where the frame was a TRACE. */
  trace?: TraceAnswer
}

/**
 * Reads the answer to a frame of `sentType`.
 *
 * @throws {DeliveryError} PEER_REFUSED, PEER_UNSUPPORTED, ANSWER_INVALID
 */
export function readReceipt(sentType: number, answer: Frame): Receipt {
  const text = decodeUtf8(answer.payload)
  if (text === undefined) {
    throw new DeliveryError(
      'ANSWER_INVALID',
      `the peer answered with a ${typeName(answer.type)} that is no text`,
    )
  }
  if (sentType === FrameType.Trace && answer.type === FrameType.JSON) {
    const trace = decodeTraceAnswer(text)
    return { ...readText(trace.innerAck), trace }
  }
  if (answer.type !== FrameType.Text) {
    throw new DeliveryError(
      'ANSWER_INVALID',
      `the peer answered with a ${typeName(answer.type)} frame, not with TEXT`,
    )
  }
  const receipt = readText(text)
  if (receipt.type !== typeName(sentType)) {
    throw new DeliveryError('ANSWER_INVALID', `a ${typeName(sentType)} was answered with: ${text}`, {
      answer: text,
    })
  }
  return receipt
}

function readText(text: string): Receipt {
  const answer = parseAnswer(text)
  switch (answer.kind) {
    case 'ack':
      return { type: answer.name, bytes: answer.bytes, duplicate: answer.duplicate, answer: text }
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
