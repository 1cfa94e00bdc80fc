import { decodeUtf8, utf8, viewOf } from '../bytes.ts'
import { WireError } from '../errors.ts'
import { MAX_FILE_NAME } from '../frame-limits.ts'

/** Bytes of the length field before a file's name in a FILE payload (section 1). */
export const FILE_NAME_LENGTH_SIZE = 2

/**
 * What stands before a file's data in a FILE payload: `[u16 name length][name]`. An empty name is written
 * as it is.
 *
 * @throws {WireError} FILENAME_TOO_LONG over 255 bytes of UTF-8; FILENAME_UNSAFE when the name holds a
 * separator or is `.` or `..`: a receiver would end the connection over it.
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
 * How many bytes of a FILE payload of `payloadLength` bytes its name takes, by the length field at the
 * start of `head`; undefined where the payload has no room for it (it is then taken as it is, without a name).
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
 * The name in `bytes`.
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
