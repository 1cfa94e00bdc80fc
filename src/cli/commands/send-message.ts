import { wallClockNs } from '../../clock.ts'
import type { Client } from '../../exchange/client.ts'
import { defaultMaxFrameSize } from '../../exchange/max-frame-size.ts'
import type { Message } from '../../exchange/outgoing.ts'
import { withWait } from '../../pilot/wait.ts'
import { FrameType } from '../../wire/frame.ts'
import { TRACE_HEADER_SIZE } from '../../wire/trace.ts'
import { checkTarget, withPeer } from '../connect.ts'
import type { Context } from '../context.ts'
import { withDetails } from '../errors.ts'
import { type MessageType, readMessage } from '../message-input.ts'
import { safeLine } from '../safe-text.ts'
import { type Legs, legsOf } from '../trace-legs.ts'

/** Options of `send-message`. */
export interface SendMessageOptions {
  data?: string
  dataFile?: string
  type: MessageType
  count: number
  /** Milliseconds for the whole command. @default 60000 */
  timeout?: number
  trace?: boolean
}

/** Sends a message, `count` times on one connection, and tells what the peer answered. */
export async function sendMessage(
  context: Context,
  target: string,
  text: string | undefined,
  options: SendMessageOptions,
): Promise<void> {
  const { output } = context
  const { type, count, timeout = DEFAULT_TIMEOUT_MS, trace = false } = options
  await checkTarget(target)
  const cap = defaultMaxFrameSize() - (trace ? TRACE_HEADER_SIZE : 0)
  const payload = await readMessage({ text, data: options.data, dataFile: options.dataFile }, type, cap)

  const results: SendResult[] = []
  let to = ''
  const sendAll = async (client: Client, signal: AbortSignal) => {
    for (let seq = 1; seq <= count; seq++) {
      const result = await sendOne(client, messageOf(type, payload, trace), { seq, signal })
      results.push(result)
      if (!output.json && !output.quiet) output.item(result, () => resultText(result, count))
    }
  }
  try {
    await withWait('send-message', { timeoutMs: timeout }, signal =>
      // The timeout of the whole command is the only one.
      withPeer(context, target, { signal, timeoutMs: Number.POSITIVE_INFINITY }, (client, address) => {
        to = address.toString()
        return sendAll(client, signal)
      }),
    )
  } catch (error) {
    throw results.length > 0 ? withDetails(error, { target, to, type, results }) : error
  }
  if (!output.json) return
  output.result(count > 1 ? { target, to, type, results } : { target, to, type, ...results[0] }, () => '')
}

const DEFAULT_TIMEOUT_MS = 60_000

interface SendResult extends Partial<Legs> {
  seq: number
  bytes: number
  ack: string
  inner_ack?: string
}

async function sendOne(
  client: Client,
  message: Message,
  { seq, signal }: { seq: number; signal: AbortSignal },
): Promise<SendResult> {
  const receipt = await client.deliver(message, { signal, timeoutMs: Number.POSITIVE_INFINITY })
  const result = { seq, bytes: receipt.bytes, ack: receipt.answer }
  if (receipt.trace === undefined) return result
  return { ...result, ...legsOf(receipt.trace, wallClockNs()), inner_ack: receipt.trace.innerAck }
}

function messageOf(type: MessageType, payload: Uint8Array, trace: boolean): Message {
  const frameType = FRAME_TYPES[type]
  return trace ? { trace: payload, innerType: frameType } : { type: frameType, payload }
}

const FRAME_TYPES: Record<MessageType, number> = {
  text: FrameType.Text,
  json: FrameType.JSON,
  binary: FrameType.Binary,
}

function resultText(result: SendResult, count: number): string {
  const which = count > 1 ? `${result.seq}/${count}  ` : ''
  const line = `${which}${safeLine(result.ack)}`
  if (result.total_ms === undefined) return line
  const [there, process, back, total] = [
    result.to_receiver_ms,
    result.receiver_process_ms,
    result.return_trip_ms,
    result.total_ms,
  ].map(ms => `${ms?.toFixed(2)} ms`)
  return `${line}  total ${total} (to receiver ${there}, receiver ${process}, back ${back})`
}
