import { type Receipt, wallClockNs } from 'pilot-dataexchange'
import { safeLine } from '../shared/safe-text.ts'
import { type Legs, legsOf } from '../shared/trace-legs.ts'

/** What `send-message` tells of one message. */
export interface SendResult extends Partial<Legs> {
  seq: number
  bytes: number
  message_id?: string
  reply_to?: string
  /** False where the peer knows no ids, and got the message without. */
  tagged?: boolean
  duplicate?: true
  resent?: true
  ack: string
  inner_ack?: string
}

/** The result of the message `seq`; it may answer the message `replyTo`. */
export function resultOf(receipt: Receipt, seq: number, replyTo?: string): SendResult {
  const { bytes, answer, messageId, tagged, duplicate, resent, trace } = receipt
  return {
    seq,
    bytes,
    ...(messageId !== undefined && { message_id: messageId }),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    ...((messageId !== undefined || replyTo !== undefined) && { tagged }),
    ...(duplicate && { duplicate }),
    ...(resent && { resent }),
    ack: answer,
    ...(trace && { ...legsOf(trace, wallClockNs()), inner_ack: trace.innerAck }),
  }
}

/** The same in a line; of `count` messages it says which. */
export function resultText(result: SendResult, count: number): string {
  const which = count > 1 ? `${result.seq}/${count}  ` : ''
  const line = `${which}${safeLine(result.ack)}${result.resent ? '  sent again: the first answer was lost' : ''}`
  if (result.total_ms === undefined) return line
  const [there, process, back, total] = [
    result.to_receiver_ms,
    result.receiver_process_ms,
    result.return_trip_ms,
    result.total_ms,
  ].map(ms => `${ms?.toFixed(2)} ms`)
  return `${line}  total ${total} (to receiver ${there}, receiver ${process}, back ${back})`
}
