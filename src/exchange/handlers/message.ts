import { MailboxError } from '../../errors.ts'
import { ackText } from '../../wire/ack.ts'
import { typeName } from '../../wire/frame.ts'
import type { HandlerContext, IncomingFrame } from './handler.ts'

/** TEXT, BINARY, JSON, and AUTOANSWER where nobody answers: one message in the inbox (section 3). */
export async function handleMessage(frame: IncomingFrame, context: HandlerContext): Promise<string> {
  const type = typeName(frame.type)
  const { mailbox, events, from } = context
  try {
    await mailbox.storeMessage({ type, from, length: frame.length }, frame.payload)
  } catch (error) {
    if (error instanceof MailboxError && error.code === 'INBOX_FULL') {
      const limits = { frame_bytes: frame.length, max_bytes: mailbox.limits.inboxMaxBytes }
      events.publish('inbox.full', { from, type, ...limits })
    }
    throw error
  }
  events.publish('message.received', { type, from, size: frame.length })
  return ackText(frame.type, frame.length)
}
