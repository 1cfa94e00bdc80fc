import { decodeUtf8, utf8, viewOf } from '../bytes.ts'
import { WireError } from '../errors.ts'
import { MAX_FILE_NAME } from '../frame-limits.ts'

/** Bytes of the length field before the name in a FILE payload `[frame.file-layout]`. */
export const FILE_NAME_LENGTH_SIZE = 2

/**
 * Encodes the bytes before the data in a FILE payload: `[u16 name length][name]` `[frame.file-layout]`. The name may be
 * empty.
 *
 * @throws {WireError} FILENAME_TOO_LONG over 255 bytes of UTF-8; FILENAME_UNSAFE if the name contains a separator or is
 * `.` or `..`: a receiver would end the connection because of it
 */
export function encodeFilePrefix(filename: string): Uint8Array {
  const name = utf8(filename)
  checkLength(name.length)
  checkSafe(filename)
  const prefix = new Uint8Array(FILE_NAME_LENGTH_SIZE + name.length)
  viewOf(prefix).setUint16(0, name.length)
  prefix.set(name, FILE_NAME_LENGTH_SIZE)
  return prefix
}

/**
 * Returns the length of the name in a FILE payload of `payloadLength` bytes, from the length field at the start of
 * `head`. Returns undefined if the name does not fit into the payload: the payload then has no name
 * `[frame.file-lying-name]`.
 *
 * @throws {WireError} FILENAME_TOO_LONG
 */
export function fileNameLength(head: Uint8Array, payloadLength: number): number | undefined {
  if (payloadLength < FILE_NAME_LENGTH_SIZE) return undefined
  const length = viewOf(head).getUint16(0)
  if (FILE_NAME_LENGTH_SIZE + length > payloadLength) return undefined
  checkLength(length)
  return length
}

/**
 * Decodes a file name.
 *
 * @throws {WireError} FILENAME_NOT_UTF8, FILENAME_UNSAFE
 */
export function decodeFileName(bytes: Uint8Array): string {
  const name = decodeUtf8(bytes)
  if (name === undefined) throw new WireError('FILENAME_NOT_UTF8', 'the file name is not valid UTF-8')
  checkSafe(name)
  return name
}

function checkLength(length: number): void {
  if (length > MAX_FILE_NAME) {
    throw new WireError(
      'FILENAME_TOO_LONG',
      `the file name has ${length} bytes; at most ${MAX_FILE_NAME} are allowed`,
    )
  }
}

function checkSafe(name: string): void {
  if (name === '.' || name === '..' || /[/\\]/.test(name)) {
    throw new WireError('FILENAME_UNSAFE', `${JSON.stringify(name)} is a path, not a file name`)
  }
}
