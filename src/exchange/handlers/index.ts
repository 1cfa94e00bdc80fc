import { reasonForPeer } from '../../errors.ts'
import { errText, unsupportedText } from '../../wire/ack.ts'
import { FrameType, typeName } from '../../wire/frame.ts'
import type { Answer } from '../answer-queue.ts'
import { drainPayload, isCutOff } from '../payload.ts'
import { handleFile } from './file.ts'
import type { Handler, HandlerContext, IncomingFrame } from './handler.ts'
import { handleMessage } from './message.ts'
import { admissionRefusal, refuse } from './refusal.ts'
import { traceHandler } from './trace.ts'

/** What is stored, by frame type; a TRACE may carry any of these. */
const storing: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [FrameType.Text, handleMessage],
  [FrameType.Binary, handleMessage],
  [FrameType.JSON, handleMessage],
  [FrameType.AutoAnswer, handleMessage],
  [FrameType.File, handleFile],
])

const handlers: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  ...storing,
  [FrameType.Trace, traceHandler(storing)],
])

/**
 * Handles one frame, whatever its type, and resolves with its answer; a refusal, and what goes wrong with
 * storing it, is an answer too. Rejects only where the payload itself breaks off: there is nobody to answer
 * then.
 */
export async function handleFrame(frame: IncomingFrame, context: HandlerContext): Promise<Answer> {
  const { from, refusals } = context
  const type = typeName(frame.type)
  const handler = handlers.get(frame.type)
  if (handler === undefined) {
    await drainPayload(frame.payload)
    refusals.note('frames of unknown types were refused', { from })
    return unsupportedText(frame.type)
  }
  try {
    const refusal = (await admissionRefusal(frame, context)) ?? rateRefusal(frame, context)
    return refusal === undefined ? await handler(frame, context) : await refuse(frame, refusal, context)
  } catch (err) {
    if (isCutOff(err)) throw err
    const why = reasonForPeer(err)
    refusals.note(`frames were not stored: ${why}`, { from, type, err })
    return errText(frame.type, why)
  }
}

function rateRefusal({ length }: IncomingFrame, { rates }: HandlerContext): string | undefined {
  return rates.take(length) ? undefined : 'refused: this sender sends too much; try again later'
}
