import { isUtf8 } from 'node:buffer'
import { wallClockNs } from 'pilot-dataexchange'
import { type InboxMessage, messagePayload, rfc3339 } from 'pilot-dataexchange/mailbox'
import { messageRecord } from '../shared/message-record.ts'
import { safeBlock } from '../shared/safe-text.ts'

/** A reply, from the inbox or from the connection. */
export interface Reply {
  /** The message as in `inbox read --json`. A reply on the connection has no id. */
  readonly record: Record<string, unknown>
  readonly payload: Uint8Array
}

/** A reply in the inbox. */
export function inboxReply(message: InboxMessage): Reply {
  return { record: messageRecord(message), payload: messagePayload(message) }
}

/** A reply on the connection. */
export function connectionReply(from: string, payload: Uint8Array): Reply {
  const bytes = Buffer.from(payload)
  const isText = isUtf8(bytes)
  const record = {
    from,
    received_at: rfc3339(wallClockNs()),
    type: 'TEXT',
    bytes: bytes.length,
    data: bytes.toString('utf8'),
    data_encoding: isText ? 'utf8' : 'base64',
    ...(!isText && { data_b64: bytes.toString('base64') }),
  }
  return { record, payload }
}

/** Prints a reply: its raw bytes, or safe text on a terminal. */
export function printReply({ payload }: Reply): Promise<void> {
  const safe = `${safeBlock(Buffer.from(payload).toString('utf8')).replace(/\n$/, '')}\n`
  return new Promise(resolve => process.stdout.write(process.stdout.isTTY ? safe : payload, () => resolve()))
}
