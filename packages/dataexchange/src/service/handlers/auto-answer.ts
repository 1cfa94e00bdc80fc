import { decodeUtf8, KiB, utf8 } from '../../bytes.ts'
import { AnswerError } from '../../errors.ts'
import { reasonForPeer } from '../../system-errors.ts'
import { ackReplyText } from '../../wire/ack.ts'
import { type Frame, FrameType } from '../../wire/frame.ts'
import { drainPayload, splitPayload } from '../payload.ts'
import type { OpenRequest } from '../requests/open-requests.ts'
import type { AnswerRequest } from '../requests/request-answerer.ts'
import { type HandlerContext, type IncomingFrame, idFields, idsOf } from './handler.ts'
import { handleMessage } from './message.ts'
import { refuse } from './refusal.ts'

/** Largest request (AUTOANSWER); a larger one is refused with ERR. @limit bytes */
export const MAX_REQUEST_SIZE: number = 256 * KiB

/**
 * Handles AUTOANSWER: answers the request on its connection and does not store it `[autoanswer.ack-reply]`. Without an answerer it is
 * stored as a message `[autoanswer.stored]`.
 */
export async function handleAutoAnswer(
  frame: IncomingFrame,
  context: HandlerContext,
): Promise<string | OpenRequest> {
  const { answerer, from, address } = context
  if (answerer === undefined) return handleMessage(frame, context)
  if (frame.length > MAX_REQUEST_SIZE) {
    return refuse(frame, `the request is larger than ${MAX_REQUEST_SIZE} bytes`, context)
  }
  const leave = answerer.acquire(from)
  if (leave === undefined) {
    return refuse(frame, 'busy: too many requests are being answered; try again later', context)
  }
  try {
    const [payload, rest] = await splitPayload(frame.payload, frame.length)
    await drainPayload(rest)
    const text = decodeUtf8(payload)
    if (text === undefined) {
      leave()
      return refuse(frame, 'the request is not UTF-8', context)
    }
    const receivedAt = new Date(Number(frame.receivedAtNs() / 1_000_000n))
    return exchange({ text, from, address, size: frame.length, receivedAt, ...idsOf(frame) }, context, leave)
  } catch (error) {
    leave()
    throw error
  }
}

function exchange(request: AnswerRequest, context: HandlerContext, leave: () => void): OpenRequest {
  let settled: Promise<unknown> = Promise.resolve()
  return {
    ack: ackReplyText(request.size),
    reply: async signal => {
      const answer = context.answerer?.reply(request, signal)
      settled = answer?.settled ?? settled
      return replyFrame(request, context, answer?.reply)
    },
    release: () => void settled.then(leave),
  }
}

/**
 * The reply, as TEXT. If the hook fails, a JSON frame tells the peer why. A reply is always TEXT, so the two cannot be
 * confused.
 */
async function replyFrame(
  request: AnswerRequest,
  { events, refusals }: HandlerContext,
  reply: Promise<Uint8Array> | undefined,
): Promise<Frame> {
  try {
    const payload = (await reply) ?? new Uint8Array(0)
    const { from, size } = request
    events.publish('request.answered', { ...idFields(request), from, size, reply_size: payload.length })
    return { type: FrameType.Text, payload }
  } catch (err) {
    const why = reasonForPeer(err)
    if (err instanceof AnswerError && err.code === 'ANSWER_FAILED')
      refusals.hookFailed('the answer hook', { from: request.from, err: err.cause })
    refusals.note(`requests were not answered: ${why}`, { from: request.from, err })
    return { type: FrameType.JSON, payload: utf8(JSON.stringify({ error: why })) }
  }
}
