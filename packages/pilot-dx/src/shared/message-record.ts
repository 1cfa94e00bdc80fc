import type { InboxMessage } from 'pilot-dataexchange/mailbox'

/** A whole message as a record of `--json`. */
export function messageRecord(message: InboxMessage): Record<string, unknown> {
  return {
    id: message.id,
    from: message.from,
    received_at: message.receivedAt,
    type: message.type,
    bytes: message.size,
    ...(message.messageId !== undefined && { message_id: message.messageId }),
    ...(message.replyTo !== undefined && { reply_to: message.replyTo }),
    data: message.data,
    data_encoding: message.encoding,
    ...(message.base64 !== undefined && { data_b64: message.base64 }),
  }
}
