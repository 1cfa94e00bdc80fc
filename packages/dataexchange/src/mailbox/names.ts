import { ARCHIVE_SUFFIX } from '../archive/manifest.ts'
import { fileTimestamp } from '../clock.ts'
import { MAX_FILE_NAME } from '../frame-limits.ts'
import { HIDDEN_NAME_ADDITION, MESSAGE_SUFFIX } from './layout.ts'

/** The file name of a message, `<NAME>-<YYYYMMDD-HHMMSS.mmm>-<%06d seq>.json` in local time `[inbox.name]`. */
export function messageFileName(type: string, atNs: bigint, seq: number): string {
  const name = type.replace(/[^A-Za-z0-9_()]/g, '_').slice(0, MAX_TYPE_NAME)
  return `${name}${uniquePart(atNs, seq)}${MESSAGE_SUFFIX}`
}

/**
 * The name of a received file, `<base>-<YYYYMMDD-HHMMSS.mmm>-<%06d seq><ext>` `[received.name]`, made of the sender's
 * name for it and safe for the disk. The extension begins with the last dot `[received.ext]`, as in Go's
 * `filepath.Ext`. An empty name becomes `unnamed`. The name has at most 255 bytes of UTF-8 with the additions of
 * hidden subfolders. The base is cut first, the extension only if it takes more than half of the space.
 */
export function receivedFileName(filename: string, atNs: bigint, seq: number): string {
  const whole = filename === '' ? 'unnamed' : filename
  const dot = whole.lastIndexOf('.')
  const base = replaceUnsafe(dot < 0 ? whole : whole.slice(0, dot))
  const ext = replaceUnsafe(dot < 0 ? '' : whole.slice(dot))
  const unique = uniquePart(atNs, seq)
  const longest = MAX_FILE_NAME - HIDDEN_NAME_ADDITION
  const max = longest - unique.length - RESERVED_PREFIX.length
  const maxExt = Math.max(Math.floor(max / 2), max - Buffer.byteLength(base))
  const shortExt = cutUtf8(ext, maxExt)
  const shortBase = cutUtf8(base, max - Buffer.byteLength(shortExt))
  return `${safeBase(shortBase)}${unique}${safeEnd(shortExt)}`
}

/**
 * The name of the folder for a received archive: its own without the ending. Undefined if a mailbox did not give that
 * name.
 */
export function unpackedName(archive: string): string | undefined {
  const name = archive.endsWith(ARCHIVE_SUFFIX) ? archive.slice(0, -ARCHIVE_SUFFIX.length) : ''
  return isUnpackedName(name) ? name : undefined
}

/** Whether `name` has the form of a received folder's name. Other folders belong to other programs. */
export function isUnpackedName(name: string): boolean {
  return UNPACKED.test(name)
}

/**
 * A sort key that orders messages oldest first: time and number in the file name or, if the name has none, the
 * modification time `mtimeMs`.
 */
export function messageAge(name: string, mtimeMs: number): string {
  const [, stamp, seq] = STAMPED.exec(name) ?? []
  if (stamp === undefined || seq === undefined) return fileTimestamp(BigInt(Math.trunc(mtimeMs)) * 1_000_000n)
  return `${stamp}-${seq.padStart(16, '0')}`
}

const MAX_TYPE_NAME = 64
/** Put in front of a name with a dangerous start. */
const RESERVED_PREFIX = '_'
const UNPACKED = /^[^.].*-\d{8}-\d{6}\.\d{3}-\d{6,16}$/su
const STAMPED = /-(\d{8}-\d{6}\.\d{3})-(\d{6,16})\.json$/

// Control characters (C0, DEL, C1), format characters (bidi controls, zero-width characters, U+FEFF), lone surrogates,
// line and paragraph separators, path separators.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}/\\]/gu
// Device names on Windows, with any extension.
const RESERVED = /^(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\.|$)/i

function uniquePart(atNs: bigint, seq: number): string {
  return `-${fileTimestamp(atNs)}-${String(seq).padStart(6, '0')}`
}

function replaceUnsafe(text: string): string {
  return text.replace(UNSAFE, '_')
}

function safeBase(base: string): string {
  // A leading dot hides a file. A leading dash turns it into an option of a command.
  const safe = safeEnd(base.replace(/^[.-]+/, run => '_'.repeat(run.length)))
  // An empty base (`.env` is all extension) would leave a dash at the start.
  return safe === '' || RESERVED.test(safe) ? `${RESERVED_PREFIX}${safe}` : safe
}

function safeEnd(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === '.' || text[end - 1] === ' ')) end--
  return text.slice(0, end) + '_'.repeat(text.length - end)
}

/** The longest prefix of `text` in whole code points that fits into `max` bytes. */
function cutUtf8(text: string, max: number): string {
  let bytes = 0
  let end = 0
  for (const char of text) {
    bytes += Buffer.byteLength(char)
    if (bytes > max) return text.slice(0, end)
    end += char.length
  }
  return text
}
