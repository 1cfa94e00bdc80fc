import { MailboxError, WireError } from '../../errors.ts'
import { ackText, duplicateText } from '../../wire/ack.ts'
import { typeName } from '../../wire/frame.ts'
import { type HandlerContext, type IncomingFrame, idFields, idsOf } from './handler.ts'

/** FILE: one file in the received folder (section 3). */
export async function handleFile(frame: IncomingFrame, context: HandlerContext): Promise<string> {
  const { filename, length, payload } = frame
  const { mailbox, events, from } = context
  if (filename === undefined) {
    throw new WireError('FILENAME_MISSING', 'the FILE payload has no room for the name it declares')
  }
  try {
    const { path, duplicate, unpacking } = await mailbox.storeFile(
      { filename, length, from, ...idsOf(frame) },
      payload,
    )
    if (duplicate) return duplicateText(frame.type, length)
    // Of what is being unpacked it is told when that is over.
    if (!unpacking) events.publish('file.received', { filename, size: length, path, ...idFields(frame) })
  } catch (error) {
    if (error instanceof MailboxError && error.code === 'RECEIVED_FULL') {
      const limits = { frame_bytes: length, max_bytes: mailbox.limits.receivedMaxBytes }
      events.publish('received.full', { type: typeName(frame.type), ...limits })
    }
    throw error
  }
  return ackText(frame.type, length)
}
