import { wallClockNs } from '../../clock.ts'
import { reasonForPeer } from '../../system-errors.ts'
import { errText, traceErrText, unsupportedText } from '../../wire/ack.ts'
import { type Frame, FrameType } from '../../wire/frame.ts'
import { decodeTraceHead, encodeTraceAnswer, TRACE_HEADER_SIZE } from '../../wire/trace.ts'
import { drainPayload, isCutOff, splitPayload } from '../payload.ts'
import type { Handler, HandlerContext, IncomingFrame } from './handler.ts'
import { withFileName } from './inner-frame.ts'
import { admissionRefusal, refuse } from './refusal.ts'

/**
 * Handles TRACE: the inner frame goes to `handlers`, and the answer has the time of each step `[ack.trace-fields]`. An error of
 * the inner frame is in `inner_ack`.
 */
export function traceHandler(handlers: ReadonlyMap<number, Handler>): Handler {
  return async (frame, context) => {
    const [head, rest] = await splitPayload(frame.payload, TRACE_HEADER_SIZE)
    if (head.length < TRACE_HEADER_SIZE) {
      context.refusals.note('frames were refused: TRACE too short', { from: context.from })
      return traceErrText('payload shorter than its 12-byte header')
    }
    const { innerType, sentAtNs } = decodeTraceHead(head)

    const inner = { ...frame, type: innerType, length: frame.length - TRACE_HEADER_SIZE, payload: rest }
    const innerAck = await handleInner(inner, handlers.get(innerType), context)
    const times = { sentAtNs, receivedAtNs: frame.receivedAtNs(), inboxWrittenAtNs: wallClockNs() }
    return (): Frame => ({
      type: FrameType.JSON,
      payload: encodeTraceAnswer({ ...times, ackSentAtNs: wallClockNs(), innerAck }),
    })
  }
}

async function handleInner(
  frame: IncomingFrame,
  handler: Handler | undefined,
  context: HandlerContext,
): Promise<string> {
  try {
    if (handler === undefined) {
      await drainPayload(frame.payload)
      context.refusals.note('frames of unknown types were refused', { from: context.from })
      return unsupportedText(frame.type)
    }
    const inner = await withFileName(frame)
    // A frame that is refused plainly is refused in a TRACE, too.
    const refusal = await admissionRefusal(inner, context)
    if (refusal !== undefined) return await refuse(inner, refusal, context)
    return String(await handler(inner, context))
  } catch (error) {
    if (isCutOff(error)) throw error
    const why = reasonForPeer(error)
    context.refusals.note(`frames were not stored: ${why}`, { from: context.from, err: error })
    return errText(frame.type, why)
  }
}
