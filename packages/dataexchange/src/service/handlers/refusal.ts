import { errText } from '../../wire/ack.ts'
import { typeName } from '../../wire/frame.ts'
import { drainPayload } from '../payload.ts'
import type { AcceptRequest } from '../peers/admission.ts'
import { type HandlerContext, type IncomingFrame, idsOf } from './handler.ts'

/** Resolves with the reason to refuse the frame, or undefined if the sender may have it stored. */
export async function admissionRefusal(
  frame: IncomingFrame,
  context: HandlerContext,
): Promise<string | undefined> {
  return requestRefusal(() => {
    const { type, length: size, filename } = frame
    const named = filename !== undefined && { filename }
    return { type: typeName(type), size, ...named, ...idsOf(frame) }
  }, context)
}

/** As {@link admissionRefusal}, for the request itself. An error of the hook is logged and thrown. */
export async function requestRefusal(
  describe: () => Omit<AcceptRequest, 'address'>,
  { address, admission, trust, from, refusals }: HandlerContext,
): Promise<string | undefined> {
  try {
    const refusal = await admission.refusal(address, trust, describe)
    return refusal === undefined ? undefined : `refused: ${refusal}`
  } catch (err) {
    refusals.hookFailed('the accept hook', { from, err })
    throw err
  }
}

/** Discards the payload of a refused frame and resolves with the answer. */
export async function refuse(
  frame: IncomingFrame,
  refusal: string,
  { from, refusals }: HandlerContext,
): Promise<string> {
  await drainPayload(frame.payload)
  refusals.note('frames were refused: not admitted', { from, type: typeName(frame.type), refusal })
  return errText(frame.type, refusal)
}
