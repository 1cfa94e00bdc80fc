import { MailboxError } from '../../errors.ts'
import { ackText, duplicateText } from '../../wire/ack.ts'
import { typeName } from '../../wire/frame.ts'
import { type HandlerContext, type IncomingFrame, idFields, idsOf } from './handler.ts'

/** Stores TEXT, BINARY, JSON, and AUTOANSWER without an answerer, as one message in the inbox. */
export async function handleMessage(frame: IncomingFrame, context: HandlerContext): Promise<string> {
  const type = typeName(frame.type)
  const { mailbox, events, from } = context
  try {
    const message = { type, from, length: frame.length, ...idsOf(frame) }
    const { duplicate } = await mailbox.storeMessage(message, frame.payload)
    if (duplicate) return duplicateText(frame.type, frame.length)
  } catch (error) {
    if (error instanceof MailboxError && error.code === 'INBOX_FULL') {
      const limits = { frame_bytes: frame.length, max_bytes: mailbox.limits.inboxMaxBytes }
      events.publish('inbox.full', { from, type, ...limits })
    }
    throw error
  }
  events.publish('message.received', { type, from, size: frame.length, ...idFields(frame) })
  return ackText(frame.type, frame.length)
}
