import { ARCHIVE_SUFFIX } from '../archive/manifest.ts'
import { fileTimestamp } from '../clock.ts'
import { LIMITS } from '../limits.ts'
import { HIDDEN_NAME_ROOM, MESSAGE_SUFFIX } from './layout.ts'

/** `<NAME>-<YYYYMMDD-HHMMSS.mmm>-<%06d seq>.json` in local time (section 3). */
export function messageFileName(type: string, atNs: bigint, seq: number): string {
  const name = type.replace(/[^A-Za-z0-9_()]/g, '_').slice(0, MAX_TYPE_NAME)
  return `${name}${uniquePart(atNs, seq)}${MESSAGE_SUFFIX}`
}

/**
 * `<base>-<YYYYMMDD-HHMMSS.mmm>-<%06d seq><ext>` from the name the sender gave, made safe for the disk: ext
 * is what follows the last dot, with the dot, as Go's `filepath.Ext` has it (section 3). An empty name is
 * `unnamed`. With what hidden subfolders add to it, it has at most 255 bytes of UTF-8; where that needs cutting, the base gives way first
 * and the ext only past half of the room.
 */
export function receivedFileName(filename: string, atNs: bigint, seq: number): string {
  const whole = filename === '' ? 'unnamed' : filename
  const dot = whole.lastIndexOf('.')
  const base = replaceUnsafe(dot < 0 ? whole : whole.slice(0, dot))
  const ext = replaceUnsafe(dot < 0 ? '' : whole.slice(dot))
  const unique = uniquePart(atNs, seq)
  const longest = LIMITS.maxFileName.value - HIDDEN_NAME_ROOM
  const room = longest - unique.length - RESERVED_PREFIX.length
  const extRoom = Math.max(Math.floor(room / 2), room - Buffer.byteLength(base))
  const shortExt = cutUtf8(ext, extRoom)
  const shortBase = cutUtf8(base, room - Buffer.byteLength(shortExt))
  return `${safeBase(shortBase)}${unique}${safeEnd(shortExt)}`
}

/**
 * The name of the folder that a received archive is unpacked to: its own without the ending. Undefined for one
 * that this mailbox has not given.
 */
export function unpackedName(archive: string): string | undefined {
  const name = archive.endsWith(ARCHIVE_SUFFIX) ? archive.slice(0, -ARCHIVE_SUFFIX.length) : ''
  return isUnpackedName(name) ? name : undefined
}

/** Whether a folder of this name among the received files is one that was received. */
export function isUnpackedName(name: string): boolean {
  return UNPACKED.test(name)
}

/**
 * By this text messages sort oldest first: the time and the number in the name of the file, or, in a name
 * that has none, the time the file was changed.
 */
export function messageAge(name: string, mtimeMs: number): string {
  const [, stamp, seq] = STAMPED.exec(name) ?? []
  if (stamp === undefined || seq === undefined) return fileTimestamp(BigInt(Math.trunc(mtimeMs)) * 1_000_000n)
  return `${stamp}-${seq.padStart(16, '0')}`
}

const MAX_TYPE_NAME = 64
/** Before what would do harm at the start of a name. */
const RESERVED_PREFIX = '_'
const UNPACKED = /^[^.].*-\d{8}-\d{6}\.\d{3}-\d{6,16}$/su
const STAMPED = /-(\d{8}-\d{6}\.\d{3})-(\d{6,16})\.json$/

// Controls (C0, DEL, C1), format characters (bidi controls, zero-width ones, U+FEFF), lone surrogates, line
// and paragraph separators, and what separates folders.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}/\\]/gu
// Devices on Windows, whatever their ending.
const RESERVED = /^(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\.|$)/i

function uniquePart(atNs: bigint, seq: number): string {
  return `-${fileTimestamp(atNs)}-${String(seq).padStart(6, '0')}`
}

function replaceUnsafe(text: string): string {
  return text.replace(UNSAFE, '_')
}

function safeBase(base: string): string {
  // A leading dot hides a file, a leading dash makes it an option of whatever command it is handed to.
  const safe = safeEnd(base.replace(/^[.-]+/, run => '_'.repeat(run.length)))
  // An empty base (`.env` is all ext) would leave the dash that follows in front.
  return safe === '' || RESERVED.test(safe) ? `${RESERVED_PREFIX}${safe}` : safe
}

function safeEnd(text: string): string {
  let end = text.length
  while (end > 0 && (text[end - 1] === '.' || text[end - 1] === ' ')) end--
  return text.slice(0, end) + '_'.repeat(text.length - end)
}

/** As many whole code points from the start of `text` as fit into `room` bytes. */
function cutUtf8(text: string, room: number): string {
  let bytes = 0
  let end = 0
  for (const char of text) {
    bytes += Buffer.byteLength(char)
    if (bytes > room) return text.slice(0, end)
    end += char.length
  }
  return text
}
