import { createHash } from 'node:crypto'
import { utf8, viewOf } from '../../bytes.ts'

/** One entry of the journal: a file and its content. */
export interface JournalEntry {
  /** The final name of the file in its folder. */
  readonly name: string
  /** The whole content of the file. */
  readonly content: Uint8Array
}

/** The content of a segment. */
export interface SegmentContent {
  /** The boot of the machine in which it was created. Empty without a valid header. */
  readonly boot: string
  /** In the order of writing. */
  readonly entries: readonly JournalEntry[]
}

/** The header of a segment that is created in the boot `boot`. */
export function encodeHeader(boot: string): Uint8Array {
  return utf8(`${MAGIC}${boot}\n`)
}

/**
 * A batch of entries, which counts as a whole or not at all: `[u32 size of the rest][first 16 bytes of the SHA-256 of
 * all that follows]`, then for each entry `[u16 length of the name][name][u32 length of the content][content]`.
 */
export function encodeBatch(entries: readonly JournalEntry[]): Uint8Array {
  const names = entries.map(({ name }) => utf8(name))
  const size = entries.reduce(
    (sum, { content }, i) => sum + NAME_SIZE + names[i]!.length + CONTENT_SIZE + content.length,
    0,
  )
  const batch = Buffer.allocUnsafe(HEAD_SIZE + size)
  let at = HEAD_SIZE
  entries.forEach(({ content }, i) => {
    const name = names[i]!
    at = batch.writeUInt16BE(name.length, at)
    batch.set(name, at)
    at = batch.writeUInt32BE(content.length, at + name.length)
    batch.set(content, at)
    at += content.length
  })
  batch.writeUInt32BE(CHECKSUM_SIZE + size, 0)
  batch.set(checksum(batch.subarray(HEAD_SIZE)), LENGTH_SIZE)
  return batch
}

/** Decodes a segment up to the first batch that is torn or damaged. Never throws. */
export function decodeSegment(bytes: Uint8Array): SegmentContent {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_HEADER_SIZE)).toString()
  const end = text.indexOf('\n')
  if (!text.startsWith(MAGIC) || end < 0) return { boot: '', entries: [] }
  const entries: JournalEntry[] = []
  const view = viewOf(bytes)
  for (let at = end + 1; at + HEAD_SIZE <= bytes.length; ) {
    const stop = at + LENGTH_SIZE + view.getUint32(at)
    const body = bytes.subarray(at + HEAD_SIZE, stop)
    const expected = bytes.subarray(at + LENGTH_SIZE, at + HEAD_SIZE)
    if (stop < at + HEAD_SIZE || stop > bytes.length || Buffer.compare(expected, checksum(body)) !== 0) break
    const batch = entriesOf(body)
    if (batch === undefined) break
    for (const entry of batch) entries.push(entry)
    at = stop
  }
  return { boot: text.slice(MAGIC.length, end), entries }
}

/** Undefined if {@link encodeBatch} did not make it, although its checksum is right. */
function entriesOf(body: Uint8Array): JournalEntry[] | undefined {
  const view = viewOf(body)
  const entries: JournalEntry[] = []
  for (let at = 0; at < body.length; ) {
    if (at + NAME_SIZE > body.length) return undefined
    const nameEnd = at + NAME_SIZE + view.getUint16(at)
    const begin = nameEnd + CONTENT_SIZE
    if (begin > body.length) return undefined
    const name = Buffer.from(body.subarray(at + NAME_SIZE, nameEnd)).toString()
    const length = view.getUint32(nameEnd)
    at = begin + length
    if (at > body.length || !isFileName(name)) return undefined
    entries.push({ name, content: body.subarray(begin, at) })
  }
  return entries
}

/** Whether `name` cannot lead out of the folder: it becomes part of a path. */
function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)
}

function checksum(body: Uint8Array): Uint8Array {
  return createHash('sha256').update(body).digest().subarray(0, CHECKSUM_SIZE)
}

const MAGIC = 'pilot-dataexchange journal 1 '
/** Upper bound of the size of a header in bytes. */
export const MAX_HEADER_SIZE = 128
const LENGTH_SIZE = 4
const CHECKSUM_SIZE = 16
const HEAD_SIZE = LENGTH_SIZE + CHECKSUM_SIZE
const NAME_SIZE = 2
const CONTENT_SIZE = 4
