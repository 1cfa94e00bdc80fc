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

/** A frame as handlers get it. A large payload may still be arriving. */
export interface IncomingFrame extends Readonly<MessageIds> {
  readonly type: number
  /** Size of the payload in bytes; for FILE, without the name. */
  readonly length: number
  /** FILE only. Undefined if the payload is shorter than the name it declares. */
  readonly filename?: string | undefined
  readonly payload: Payload
  /** Time at which the last byte of the frame arrived, in ns since the Unix epoch. Valid after the payload was read. */
  receivedAtNs(): bigint
}

/** Dependencies of handlers. */
export interface HandlerContext {
  readonly mailbox: Mailbox
  readonly events: EventBus
  readonly logger: Logger
  /** Counts and logs refused frames. */
  readonly refusals: Pick<RefusalLog, 'note' | 'hookFailed'>
  readonly admission: Admission
  readonly trust?: TrustChecker | undefined
  /** Answers requests on their connection; undefined if this node does not. */
  readonly answerer: RequestAnswerer | undefined
  /** The transfers of the connection. */
  readonly transfers: { handle(frame: IncomingFrame): Promise<FrameAnswer> }
  /** The rate limits of the sender. */
  readonly rates: RateLimiter
  readonly address: Address
  /** The sender's address, as text. */
  readonly from: string
}

/**
 * Handles one frame type. Resolves with the answer when the frame is durable, or with an open request. A throw is answered
 * `ERR <NAME> save failed: <why>` `[ack.err-form]`.
 */
export type Handler = (frame: IncomingFrame, context: HandlerContext) => Promise<FrameAnswer | OpenRequest>

/** The ids of `frame`, without undefined ones. */
export function idsOf({ messageId, replyTo }: IncomingFrame): MessageIds {
  return { ...(messageId !== undefined && { messageId }), ...(replyTo !== undefined && { replyTo }) }
}

/** The ids as fields of an event. */
export function idFields({ messageId, replyTo }: MessageIds): { message_id?: string; reply_to?: string } {
  return {
    ...(messageId !== undefined && { message_id: messageId }),
    ...(replyTo !== undefined && { reply_to: replyTo }),
  }
}
