import {
  type Address,
  Client,
  DriverError,
  defaultMaxFrameSize,
  LIMITS,
  type Message,
  type ReplyWatch,
  ResendingClient,
} from 'pilot-dataexchange'
import { FrameType, TRACE_HEADER_SIZE } from 'pilot-dataexchange/wire'
import { checkTarget, withDriver } from '../shared/connect.ts'
import { type Context, inboxDir } from '../shared/context.ts'
import { deadline } from '../shared/deadline.ts'
import { CliError, withDetails } from '../shared/errors.ts'
import { checkQueue, type QueueOptions, queueMessage } from '../shared/queueing.ts'
import { type MessageType, readMessage } from './input.ts'
import { resultText } from './result.ts'
import { Sending } from './sending.ts'

/** Options of `send-message`. */
export interface SendMessageOptions extends QueueOptions {
  data?: string
  dataFile?: string
  type: MessageType
  count: number
  /** Time in ms for sending. @default 60000 */
  timeout?: number
  trace?: boolean
  /** False: does not resend a message whose answer is lost. */
  resend: boolean
  /** A message id, or the name of a message in the inbox. */
  replyTo?: string
  /** Time in ms from the ACK; true: 30 s. */
  wait?: number | true
  /** Time in ms for request and reply; true: 40 s. */
  replyOnConn?: number | true
  /** The inbox of this node. */
  inbox?: string
}

/** Sends a message `count` times on one connection, prints the answers, and waits for a reply. */
export async function sendMessage(
  context: Context,
  target: string,
  text: string | undefined,
  options: SendMessageOptions,
): Promise<void> {
  const { output } = context
  const { type, count, trace = false } = options
  checkOptions(options)
  checkTarget(target)
  const inbox = inboxDir(context, options.inbox)
  const replyTo = await replyIdOf(inbox, options.replyTo)
  const cap = defaultMaxFrameSize() - (trace ? TRACE_HEADER_SIZE : 0)
  const payload = await readMessage({ text, data: options.data, dataFile: options.dataFile }, type, cap)
  if (options.queue) {
    const message = messageOf(type, payload, false)
    const facts = { type, bytes: payload.length, ...(replyTo !== undefined && { reply_to: replyTo }) }
    await queueMessage(context, options, { target, message, count, options: { replyTo }, facts })
    return
  }

  const sending = new Sending({
    // A traced message is a probe, so it is not resent.
    hasIds: !trace,
    replyTo,
    onSent: result => {
      if (!output.json && !output.quiet) output.item(result, () => resultText(result, count))
    },
  })
  const { results } = sending
  let to = ''
  try {
    await run({ ...options, context, target, payload, inbox, sending, onAddress: address => (to = address) })
  } catch (error) {
    if (results.length === 0) throw error
    throw withDetails(error, { target, to, type, ...(waits(options) ? results[0] : { results }) })
  }
  const { reply, replyAfterMs } = sending
  if (output.json) {
    const told = reply && { reply: reply.record, reply_after_ms: replyAfterMs }
    output.result({ target, to, type, ...(count > 1 ? { results } : results[0]), ...told }, () => '')
  } else if (reply !== undefined) {
    const { printReply } = await import('./reply.ts')
    await printReply(reply)
  }
}

const DEFAULT_TIMEOUT_MS = 60_000

function checkOptions(options: SendMessageOptions): void {
  const { count, replyOnConn, trace, type, wait, timeout } = options
  checkQueue(options, {
    '--trace': trace,
    '--wait': wait,
    '--reply-on-conn': replyOnConn,
    '--timeout': timeout,
    '--no-resend': !options.resend,
  })
  if (waits(options) && count > 1) {
    throw new CliError('a reply is waited for to one message; --wait and --reply-on-conn go without --count')
  }
  if (replyOnConn === undefined) return
  if (trace) throw new CliError('--reply-on-conn does not go with --trace')
  if (type !== 'text') throw new CliError(`--reply-on-conn sends text; it does not go with --type ${type}`)
}

function waits({ wait, replyOnConn }: SendMessageOptions): boolean {
  return wait !== undefined || replyOnConn !== undefined
}

interface Run extends SendMessageOptions {
  context: Context
  target: string
  payload: Uint8Array
  inbox: string
  sending: Sending
  onAddress: (address: string) => void
}

/** Sends, then waits for the reply if one is wanted and has not come on the connection. */
async function run(options: Run): Promise<void> {
  const { wait, context, sending } = options
  const watch = await sendAll(options)
  if (watch === undefined) return
  try {
    if (sending.reply !== undefined) return
    context.output.note('waiting for the reply')
    await sending.wait(watch, wait === true || wait === undefined ? LIMITS.replyWait.value : wait)
  } finally {
    await watch.close()
  }
}

/** Sends. Returns the watch for the reply in the inbox, if one is wanted. */
async function sendAll(options: Run): Promise<ReplyWatch | undefined> {
  const { context, target, sending, wait, replyOnConn, payload, count, resend } = options
  const { timeout = DEFAULT_TIMEOUT_MS, type, trace = false } = options
  let watch: ReplyWatch | undefined
  const send = (signal: AbortSignal) =>
    withDriver(context, target, { signal }, async (driver, address) => {
      options.onAddress(address.toString())
      // The watch starts before the send, so that earlier messages are not taken for the reply.
      if (wait !== undefined) watch = await watchForReply(address, options.inbox)
      if (replyOnConn === undefined) {
        const client = new ResendingClient(driver, address, {
          resend,
          resendAfterMs: timeout / 2,
          dialTimeoutMs: Number.POSITIVE_INFINITY,
        })
        await sending.deliver(messageOf(type, payload, trace), count, client, signal)
        return
      }
      const timeoutMs = replyOnConn === true ? LIMITS.exchangeTimeout.value : replyOnConn
      const client = await Client.dial(driver, address, { timeoutMs: timeout })
      await sending.ask(Buffer.from(payload).toString('utf8'), client, timeoutMs)
      if (sending.reply === undefined && wait === undefined) {
        context.output.note('the peer does not answer on the connection; the request is in its inbox')
      }
    })
  try {
    // A request on the connection has its own time limit.
    if (replyOnConn !== undefined) await send(new AbortController().signal)
    else await within(timeout, send)
    return watch
  } catch (error) {
    await watch?.close()
    throw error
  }
}

/** Runs `send` with a signal that is aborted after `timeoutMs`. Rejects then, without waiting for `send`. */
async function within(timeoutMs: number, send: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const over = new AbortController()
  const isOver = new Promise<never>((_, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason))
  })
  const timer = deadline(timeoutMs, () => {
    over.abort(new DriverError('TIMED_OUT', `send-message took longer than ${timeoutMs} ms`))
  })
  try {
    await Promise.race([send(over.signal), isOver])
  } finally {
    clearTimeout(timer)
  }
}

async function replyIdOf(inbox: string, replyTo: string | undefined): Promise<string | undefined> {
  if (replyTo === undefined) return undefined
  const { replyToId } = await import('./reply-to.ts')
  return replyToId(inbox, replyTo)
}

async function watchForReply(from: Address, inboxDir: string): Promise<ReplyWatch> {
  const { ReplyWatch } = await import('pilot-dataexchange')
  return ReplyWatch.start(from, { inboxDir })
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
