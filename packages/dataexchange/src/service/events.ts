import { basename } from 'node:path'
import type { UnpackOutcome } from '../mailbox/mailbox.ts'
import type { EventBus } from '../plugin/events.ts'
import { idFields } from './handlers/handler.ts'

/** Tells of a folder that came: where it is, or where its archive stays, and why. */
export function publishUnpacked(
  events: EventBus,
  { record, size, path, folder, reason }: UnpackOutcome,
): void {
  const filename = record.originalName ?? basename(path)
  const inside = folder && { folder: true as const, files: folder.files, bytes: folder.bytes }
  events.publish('file.received', { filename, size, path, ...inside, ...idFields(record) })
  if (reason !== undefined) events.publish('folder.kept', { filename, path, reason })
}
