import { WireError } from '../../errors.ts'
import { ackText, duplicateText } from '../../wire/ack.ts'
import { publishFile, publishIfFull } from '../events.ts'
import { type HandlerContext, type IncomingFrame, idsOf } from './handler.ts'

/** FILE: stores one file in the received folder `[ack.durable]`. */
export async function handleFile(frame: IncomingFrame, context: HandlerContext): Promise<string> {
  const { filename, length, payload } = frame
  const { mailbox, events, from } = context
  if (filename === undefined) {
    throw new WireError('FILENAME_MISSING', 'the FILE payload has no room for the name it declares')
  }
  const ids = idsOf(frame)
  try {
    const { path, duplicate, unpacking } = await mailbox.storeFile(
      { filename, length, from, ...ids },
      payload,
    )
    if (duplicate) return duplicateText(frame.type, length)
    publishFile(events, { filename, size: length, path, unpacking, ...ids })
  } catch (error) {
    publishIfFull(events, error, { frameType: frame.type, size: length, mailbox })
    throw error
  }
  return ackText(frame.type, length)
}
