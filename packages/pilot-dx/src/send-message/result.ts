import { type Receipt, wallClockNs } from 'pilot-dataexchange'
import { safeLine } from '../shared/safe-text.ts'
import { type Legs, legsOf } from '../shared/trace-legs.ts'

/** The result of `send-message` for one message. */
export interface SendResult extends Partial<Legs> {
  seq: number
  bytes: number
  message_id?: string
  reply_to?: string
  /** False if the peer does not support ids and got the message without one. */
  tagged?: boolean
  duplicate?: true
  resent?: true
  ack: string
  inner_ack?: string
}

/** The result of the message number `seq`, which may reply to `replyTo`. */
export function resultOf(receipt: Receipt, seq: number, replyTo?: string): SendResult {
  const { size: bytes, answer, messageId, idAccepted: tagged, duplicate, resent, trace } = receipt
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

/** The same as a line, with its number if `count` is over 1. */
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
