import { errText } from '../../wire/ack.ts'
import { typeName } from '../../wire/frame.ts'
import { drainPayload } from '../payload.ts'
import { type HandlerContext, type IncomingFrame, idsOf } from './handler.ts'

/** The reason why the sender may not have this frame stored, or undefined where it may. */
export async function admissionRefusal(
  frame: IncomingFrame,
  { address, admission, trust }: HandlerContext,
): Promise<string | undefined> {
  const { type, length: size, filename } = frame
  const named = filename !== undefined && { filename }
  const request = { address, type: typeName(type), size, ...named, ...idsOf(frame) }
  const refusal = await admission.refusal(request, trust)
  return refusal === undefined ? undefined : `refused: ${refusal}`
}

/** Reads a refused frame over, and resolves with its answer. */
export async function refuse(
  frame: IncomingFrame,
  refusal: string,
  { from, refusals }: HandlerContext,
): Promise<string> {
  await drainPayload(frame.payload)
  refusals.note('frames were refused: not admitted', { from, type: typeName(frame.type), refusal })
  return errText(frame.type, refusal)
}
