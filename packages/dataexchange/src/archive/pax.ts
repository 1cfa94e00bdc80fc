import { concat, decodeUtf8, utf8 } from '../bytes.ts'
import { archiveError } from './archive-error.ts'

/**
 * Encodes the content of an extended header: `<length> <key>=<value>\n` for each record; the length counts the whole
 * record.
 */
export function encodePax(records: readonly (readonly [string, string])[]): Uint8Array {
  return concat(records.map(([key, value]) => encodeRecord(key, value)))
}

/**
 * Decodes the records of an extended header; of records with the same key, the last one counts.
 *
 * @throws {MailboxError} ARCHIVE_INVALID
 */
export function decodePax(bytes: Uint8Array): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(SPACE, at)
    const digits = space < 0 ? '' : Buffer.from(bytes.subarray(at, space)).toString('latin1')
    const length = /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : 0
    const record = decodeUtf8(bytes.subarray(space + 1, at + length))
    const equals = record?.indexOf('=') ?? -1
    if (record === undefined || equals < 1 || at + length > bytes.length || !record.endsWith('\n')) {
      throw archiveError('an extended header is damaged')
    }
    records.set(record.slice(0, equals), record.slice(equals + 1, -1))
    at += length
  }
  return records
}

const SPACE = 0x20

function encodeRecord(key: string, value: string): Uint8Array {
  const rest = utf8(` ${key}=${value}\n`)
  // The length includes its own digits.
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return concat([utf8(String(length)), rest])
}
