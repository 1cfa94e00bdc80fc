import { concat, decodeUtf8, utf8 } from '../bytes.ts'
import { archiveError } from './archive-error.ts'
import { encodePax } from './pax.ts'
import { BLOCK_SIZE, inBlocks, type TarEntry } from './tar-entry.ts'

/** The fields of a header block that are used here. */
export interface TarHeader {
  readonly path: string
  /** `0` is a file, `5` a folder, `x` an extended header for the next entry. */
  readonly type: string
  readonly size: number
  readonly mode: number
  readonly mtime: number
}

/**
 * Encodes the header of an entry in the POSIX pax format: one block. An extended header precedes it if a field does not
 * fit (long or non-ASCII names, sizes of 8 GiB and more, times before 1970). Owners are not written.
 */
export function encodeTarHeader({ path, kind, size, mode, mtime }: TarEntry): Uint8Array {
  const name = kind === 'folder' ? `${path}/` : path
  const place = split(name)
  const records: [string, string][] = []
  if (place === undefined) records.push(['path', name])
  if (size > MAX_OCTAL) records.push(['size', String(size)])
  if (mtime < 0 || mtime > MAX_OCTAL) records.push(['mtime', String(mtime)])
  const head = block({
    ...(place ?? { name: asciiName(name), prefix: '' }),
    type: kind === 'folder' ? '5' : '0',
    size: size > MAX_OCTAL ? 0 : size,
    mode,
    mtime: Math.min(Math.max(mtime, 0), MAX_OCTAL),
  })
  if (records.length === 0) return head
  const body = encodePax(records)
  const filled = new Uint8Array(inBlocks(body.length))
  filled.set(body)
  const extended = { name: 'pax-header', prefix: '', type: 'x', size: body.length, mode: 0o644, mtime: 0 }
  return concat([block(extended), filled, head])
}

/**
 * Decodes one header block; undefined if it is all zero.
 *
 * @throws {MailboxError} ARCHIVE_INVALID
 */
export function decodeTarHeader(bytes: Uint8Array): TarHeader | undefined {
  if (bytes.every(byte => byte === 0)) return undefined
  if (octal(bytes.subarray(148, 156)) !== checksum(bytes)) throw archiveError('a header is damaged')
  if (text(bytes.subarray(257, 263)) !== 'ustar') throw archiveError('it is not in a POSIX format')
  const prefix = text(bytes.subarray(345, 500))
  const name = text(bytes.subarray(0, 100))
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type: String.fromCharCode(bytes[156] || ZERO),
    size: octal(bytes.subarray(124, 136)),
    mode: octal(bytes.subarray(100, 108)),
    mtime: octal(bytes.subarray(136, 148)),
  }
}

interface Fields {
  name: string
  prefix: string
  type: string
  size: number
  mode: number
  mtime: number
}

/** The largest number in eleven octal digits. */
const MAX_OCTAL = 0o77777777777
const NAME_SIZE = 100
const PREFIX_SIZE = 155
const ZERO = 0x30

function block({ name, prefix, type, size, mode, mtime }: Fields): Uint8Array {
  const bytes = new Uint8Array(BLOCK_SIZE)
  const put = (value: string, at: number) => bytes.set(utf8(value), at)
  const putOctal = (value: number, at: number, digits: number) =>
    put(value.toString(8).padStart(digits, '0'), at)
  put(name, 0)
  putOctal(mode, 100, 7)
  putOctal(0, 108, 7)
  putOctal(0, 116, 7)
  putOctal(size, 124, 11)
  putOctal(mtime, 136, 11)
  put(type, 156)
  put('ustar\u000000', 257)
  putOctal(0, 329, 7)
  putOctal(0, 337, 7)
  put(prefix, 345)
  putOctal(checksum(bytes), 148, 6)
  bytes[155] = SPACE
  return bytes
}

const SPACE = 0x20

/** The sum of all bytes; the checksum field itself counts as spaces. */
function checksum(bytes: Uint8Array): number {
  let sum = 8 * SPACE
  for (let at = 0; at < BLOCK_SIZE; at++) if (at < 148 || at >= 156) sum += bytes[at] ?? 0
  return sum
}

/** Splits `name` into the name and prefix fields of a header block; undefined if it does not fit. */
function split(name: string): { name: string; prefix: string } | undefined {
  if (!/^[\x20-\x7e]*$/.test(name)) return undefined
  if (name.length <= NAME_SIZE) return { name, prefix: '' }
  // The slash at the end of a folder belongs to the name field.
  const slash = name.indexOf('/', name.length - NAME_SIZE - 1)
  if (slash <= 0 || slash > PREFIX_SIZE || slash >= name.length - 1) return undefined
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) }
}

/** A substitute name for programs that do not know extended headers. */
function asciiName(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '_').slice(-NAME_SIZE)
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0)
  const value = decodeUtf8(end < 0 ? field : field.subarray(0, end))
  if (value === undefined) throw archiveError('a name is not UTF-8')
  return value
}

function octal(field: Uint8Array): number {
  const digits = /^ *([0-7]+)[ \0]*$/.exec(Buffer.from(field).toString('latin1'))?.[1]
  if (digits === undefined) throw archiveError('a header has an invalid number')
  return Number.parseInt(digits, 8)
}
