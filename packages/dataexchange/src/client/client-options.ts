import type { WaitOptions } from '../async/wait.ts'
import { checkMessageId } from '../wire/message-id.ts'
import type { MessageIds } from '../wire/tagged.ts'

/** Options of {@link Client}. */
export interface ClientOptions {
  /** Bytes of the largest frame sent or received. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
}

/**
 * Options of {@link Client.deliver}. Ids are 1 to 128 characters of `A-Z a-z 0-9 - _ . :` `[tagged.id-form]`. A peer that
 * does not support them gets the message without.
 */
export interface DeliverOptions extends Pick<WaitOptions, 'signal'>, MessageIds {
  /** Milliseconds from the last byte written to the answer. @default 30000 */
  answerTimeoutMs?: number | undefined
  /** Called after each written piece of a file: bytes written, bytes in all. */
  onProgress?: ((written: number, total: number) => void) | undefined
}

export function hasIds({ messageId, replyTo }: MessageIds): boolean {
  return messageId !== undefined || replyTo !== undefined
}

export function checkedIds({ messageId, replyTo }: MessageIds): MessageIds {
  return {
    ...(messageId !== undefined && { messageId: checkMessageId(messageId) }),
    ...(replyTo !== undefined && { replyTo: checkMessageId(replyTo) }),
  }
}
