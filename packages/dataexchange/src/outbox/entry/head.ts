import { decodeUtf8, utf8 } from '../../bytes.ts'
import { OutboxError } from '../../errors.ts'
import { isMessageId } from '../../wire/message-id.ts'

/** A file that an entry refers to, with its state when the entry was added. */
export interface FileReference {
  /** Absolute. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Time of change, ms since the Unix epoch. */
  readonly mtimeMs: number
  /** SHA-256 of the content in hex. */
  readonly sha256: string
}

/** The first line of an entry's file. */
export interface EntryHead {
  /** The `target` of `add()`, resolved when the entry is sent. */
  readonly target: string
  /** The frame's type. */
  readonly type: number
  readonly messageId: string
  readonly replyTo?: string
  /** ms since the Unix epoch. */
  readonly addedAt: number
  /** Time to live in ms from the time of the entry's file; null for no end. */
  readonly expiresIn: number | null
  /** For a FILE. */
  readonly filename?: string
  /** Set if the payload is not in the entry. */
  readonly file?: FileReference
}

/** Bytes of the longest first line: a path has up to 4 KiB, and JSON escapes take up to six times that. */
export const MAX_HEAD: number = 32 * 1024

/** Encodes the first line, with its line end. */
export function encodeHead(head: EntryHead): Uint8Array {
  const { target, type, messageId, replyTo, addedAt, expiresIn, filename, file } = head
  const record = {
    version: VERSION,
    target,
    type,
    message_id: messageId,
    reply_to: replyTo,
    added_at: new Date(addedAt).toISOString(),
    expires_in_ms: expiresIn,
    filename,
    file: file && { path: file.path, size: file.size, mtime_ms: file.mtimeMs, sha256: file.sha256 },
  }
  return utf8(`${JSON.stringify(record)}\n`)
}

/**
 * Decodes the first line from the first bytes of a file.
 *
 * @throws {OutboxError} OUTBOX_DAMAGED
 */
export function decodeHead(start: Uint8Array): { head: EntryHead; length: number } {
  const end = start.subarray(0, MAX_HEAD).indexOf(NEWLINE)
  if (end < 0) throw damaged('it has no first line')
  return { head: toHead(parse(start.subarray(0, end))), length: end + 1 }
}

/** The error of a damaged entry. */
export function damaged(why: string): OutboxError {
  return new OutboxError('OUTBOX_DAMAGED', `the entry is damaged: ${why}; add the message again`)
}

const VERSION = 1
const NEWLINE = 0x0a

function parse(line: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decodeUtf8(line) ?? '')
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Reported below.
  }
  throw damaged('its first line is not a JSON object')
}

function toHead(record: Record<string, unknown>): EntryHead {
  if (record.version !== VERSION) throw damaged(`its version is ${String(record.version)}, not ${VERSION}`)
  const addedAt = Date.parse(text(record, 'added_at'))
  const messageId = text(record, 'message_id')
  const expiresIn = record.expires_in_ms
  const isSound =
    Number.isFinite(addedAt) &&
    isMessageId(messageId) &&
    Number.isInteger(record.type) &&
    (expiresIn === null || typeof expiresIn === 'number')
  if (!isSound) throw damaged('a field of its first line is wrong')
  return {
    target: text(record, 'target'),
    type: record.type as number,
    messageId,
    ...(record.reply_to !== undefined && { replyTo: text(record, 'reply_to') }),
    addedAt,
    expiresIn,
    ...(record.filename !== undefined && { filename: text(record, 'filename') }),
    ...(record.file !== undefined && { file: toReference(record.file) }),
  }
}

function toReference(value: unknown): FileReference {
  if (typeof value !== 'object' || value === null) throw damaged('its file is invalid')
  const record = value as Record<string, unknown>
  const { size, mtime_ms: mtimeMs } = record
  if (typeof size !== 'number' || typeof mtimeMs !== 'number') throw damaged('its file has no size or time')
  return { path: text(record, 'path'), size, mtimeMs, sha256: text(record, 'sha256') }
}

function text(record: Record<string, unknown>, field: string): string {
  const value = record[field]
  if (typeof value !== 'string') throw damaged(`its first line has no ${field}`)
  return value
}
