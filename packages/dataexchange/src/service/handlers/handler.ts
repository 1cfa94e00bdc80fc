import type { Logger } from '../../logger.ts'
import type { Mailbox, Payload } from '../../mailbox/mailbox.ts'
import type { Address } from '../../pilot/address.ts'
import type { EventBus } from '../../plugin/events.ts'
import type { TrustChecker } from '../../plugin/service.ts'
import type { MessageIds } from '../../wire/tagged.ts'
import type { FrameAnswer } from '../answer-queue.ts'
import type { Admission } from '../peers/admission.ts'
import type { RateLimiter } from '../peers/rate-limiter.ts'
import type { RefusalLog } from '../peers/refusal-log.ts'
import type { OpenRequest } from '../requests/open-requests.ts'
import type { RequestAnswerer } from '../requests/request-answerer.ts'

/** A frame as handlers get it: a large payload is still arriving. */
export interface IncomingFrame extends Readonly<MessageIds> {
  readonly type: number
  /** Bytes of the payload; for FILE without the name. */
  readonly length: number
  /** FILE only; undefined where the payload has no room for the name it declares. */
  readonly filename?: string | undefined
  readonly payload: Payload
  /** When the last byte of the frame had come, in ns since the Unix epoch; to be asked once the payload has been taken. */
  receivedAtNs(): bigint
}

/** What handlers work with. */
export interface HandlerContext {
  readonly mailbox: Mailbox
  readonly events: EventBus
  readonly logger: Logger
  /** Counts and logs refused frames. */
  readonly refusals: Pick<RefusalLog, 'note' | 'hookFailed'>
  readonly admission: Admission
  readonly trust?: TrustChecker | undefined
  /** Where this node answers requests on their connections. */
  readonly answerer: RequestAnswerer | undefined
  /** The transfers of the connection. */
  readonly transfers: { handle(frame: IncomingFrame): Promise<FrameAnswer> }
  /** What the sender may send. */
  readonly rates: RateLimiter
  readonly address: Address
  /** The sender's address, as text. */
  readonly from: string
}

/**
 * Handles one frame type: resolves with the answer once the frame is stored, durably. A throw is answered
 * `ERR <NAME> save failed: <why>`. A request that is answered on its connection is an exchange.
 */
export type Handler = (frame: IncomingFrame, context: HandlerContext) => Promise<FrameAnswer | OpenRequest>

/** The ids of a frame, those that it has. */
export function idsOf({ messageId, replyTo }: IncomingFrame): MessageIds {
  return { ...(messageId !== undefined && { messageId }), ...(replyTo !== undefined && { replyTo }) }
}

/** Ids as events name them. */
export function idFields({ messageId, replyTo }: MessageIds): { message_id?: string; reply_to?: string } {
  return {
    ...(messageId !== undefined && { message_id: messageId }),
    ...(replyTo !== undefined && { reply_to: replyTo }),
  }
}
