import { basename } from 'node:path'
import { MailboxError } from '../errors.ts'
import type { Mailbox, UnpackOutcome } from '../mailbox/mailbox.ts'
import type { DataExchangeEvents, EventBus } from '../plugin/events.ts'
import { typeName } from '../wire/frame.ts'
import type { MessageIds } from '../wire/tagged.ts'
import { idFields } from './handlers/handler.ts'

/** A file that was stored. */
export interface ReceivedFileFacts extends MessageIds {
  filename: string
  size: number
  path: string
  /** True if the file is the archive of a folder that is now being unpacked. */
  unpacking?: boolean | undefined
}

/** Publishes `file.received` for a stored file. For a folder, {@link publishUnpacked} does so later. */
export function publishFile(events: EventBus, file: ReceivedFileFacts): void {
  const { filename, size, path, unpacking } = file
  if (!unpacking) publishReceived(events, { filename, size, path }, file)
}

/** Publishes `file.received` for a folder at the end of its unpacking, and `folder.kept` if its archive stays packed. */
export function publishUnpacked(
  events: EventBus,
  { record, size, path, folder, reason }: UnpackOutcome,
): void {
  const filename = record.originalName ?? basename(path)
  const inside = folder && { folder: true as const, files: folder.files, bytes: folder.bytes }
  publishReceived(events, { filename, size, path, ...inside }, record)
  if (reason !== undefined) events.publish('folder.kept', { filename, path, reason })
}

/** Publishes `received.full` if `error` says that the received folder has no space for `size` bytes. */
export function publishIfFull(
  events: EventBus,
  error: unknown,
  { frameType, size, mailbox }: { frameType: number; size: number; mailbox: Mailbox },
): void {
  if (!(error instanceof MailboxError) || error.code !== 'RECEIVED_FULL') return
  const limits = { frame_bytes: size, max_bytes: mailbox.limits.receivedMaxBytes }
  events.publish('received.full', { type: typeName(frameType), ...limits })
}

function publishReceived(events: EventBus, file: DataExchangeEvents['file.received'], ids: MessageIds): void {
  events.publish('file.received', { ...file, ...idFields(ids) })
}
