import { reasonForPeer } from '../../system-errors.ts'
import { errText, unsupportedText } from '../../wire/ack.ts'
import { FrameType, typeName } from '../../wire/frame.ts'
import type { FrameAnswer } from '../answer-queue.ts'
import { drainPayload, isCutOff } from '../payload.ts'
import type { OpenRequest } from '../requests/open-requests.ts'
import { handleAutoAnswer } from './auto-answer.ts'
import { handleFile } from './file.ts'
import type { Handler, HandlerContext, IncomingFrame } from './handler.ts'
import { withFileName } from './inner-frame.ts'
import { handleMessage } from './message.ts'
import { admissionRefusal, refuse } from './refusal.ts'
import { unwrapTagged } from './tagged.ts'
import { traceHandler } from './trace.ts'

/** The handlers of stored frames, by type. A TRACE may carry any of them. */
const storing: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [FrameType.Text, handleMessage],
  [FrameType.Binary, handleMessage],
  [FrameType.JSON, handleMessage],
  [FrameType.AutoAnswer, handleMessage],
  [FrameType.File, handleFile],
])

const handlers: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  ...storing,
  [FrameType.AutoAnswer, handleAutoAnswer],
  [FrameType.Trace, traceHandler(storing)],
])

/**
 * Handles one frame of any type. Resolves with its answer; refusals and failed stores are answers, too. Rejects only if
 * the payload is cut off, because then no peer waits for an answer. A TAGGED frame is handled as its inner frame.
 */
export async function handleFrame(
  frame: IncomingFrame,
  context: HandlerContext,
): Promise<FrameAnswer | OpenRequest> {
  // FILESTREAM frames have their own order, admission and answers.
  if (frame.type === FrameType.FileStream) return context.transfers.handle(frame)
  if (frame.type !== FrameType.Tagged) return handlePlain(frame, frame.length, context)
  let inner = frame
  try {
    inner = await unwrapTagged(frame)
    inner = await withFileName(inner)
  } catch (error) {
    return notStored(inner.type, error, context)
  }
  return handlePlain(inner, frame.length, context)
}

/** `sent` is the size that counts against the sender's rates: that of the outer frame. */
async function handlePlain(
  frame: IncomingFrame,
  sent: number,
  context: HandlerContext,
): Promise<FrameAnswer | OpenRequest> {
  const handler = handlers.get(frame.type)
  if (handler === undefined) {
    await drainPayload(frame.payload)
    context.refusals.note('frames of unknown types were refused', { from: context.from })
    return unsupportedText(frame.type)
  }
  try {
    const refusal = (await admissionRefusal(frame, context)) ?? rateRefusal(sent, context)
    return refusal === undefined ? await handler(frame, context) : await refuse(frame, refusal, context)
  } catch (error) {
    return notStored(frame.type, error, context)
  }
}

function rateRefusal(sent: number, { rates }: HandlerContext): string | undefined {
  return rates.take(sent) ? undefined : 'refused: this sender sends too much; try again later'
}

function notStored(frameType: number, err: unknown, { from, refusals }: HandlerContext): string {
  if (isCutOff(err)) throw err
  const why = reasonForPeer(err)
  refusals.note(`frames were not stored: ${why}`, { from, type: typeName(frameType), err })
  return errText(frameType, why)
}
