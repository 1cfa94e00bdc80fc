import { createHash } from 'node:crypto'
import { utf8, viewOf } from '../../bytes.ts'

/** One line of a journal: a file with its content. */
export interface JournalEntry {
  /** The final name of the file in its folder. */
  readonly name: string
  /** All of the file. */
  readonly content: Uint8Array
}

/** What a segment holds. */
export interface SegmentContent {
  /** The boot of the machine that it was begun in; empty where it does not begin as a segment does. */
  readonly boot: string
  /** In the order they were written in. */
  readonly entries: readonly JournalEntry[]
}

/** The first bytes of a segment that is begun in the boot `boot`. */
export function encodeHeader(boot: string): Uint8Array {
  return utf8(`${MAGIC}${boot}\n`)
}

/**
 * Some entries that count together or, where the power went while they were written, not at all:
 * `[u32 size of the rest][first 16 bytes of the SHA-256 of what follows]`, then for each entry
 * `[u16 length of the name][name][u32 length of the content][content]`.
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
  batch.writeUInt32BE(CHECK_SIZE + size, 0)
  batch.set(checkOf(batch.subarray(HEAD_SIZE)), LENGTH_SIZE)
  return batch
}

/** What a file holds that begins with {@link encodeHeader}, up to the first batch that is not whole. Never throws. */
export function decodeSegment(bytes: Uint8Array): SegmentContent {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, LONGEST_HEADER)).toString()
  const end = text.indexOf('\n')
  if (!text.startsWith(MAGIC) || end < 0) return { boot: '', entries: [] }
  const entries: JournalEntry[] = []
  const view = viewOf(bytes)
  for (let at = end + 1; at + HEAD_SIZE <= bytes.length; ) {
    const stop = at + LENGTH_SIZE + view.getUint32(at)
    const body = bytes.subarray(at + HEAD_SIZE, stop)
    const check = bytes.subarray(at + LENGTH_SIZE, at + HEAD_SIZE)
    if (stop < at + HEAD_SIZE || stop > bytes.length || Buffer.compare(check, checkOf(body)) !== 0) break
    const batch = entriesOf(body)
    if (batch === undefined) break
    for (const entry of batch) entries.push(entry)
    at = stop
  }
  return { boot: text.slice(MAGIC.length, end), entries }
}

/** Undefined where it was not made by {@link encodeBatch}, although it checks. */
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

/** Whether it can be only that of a file in the folder itself: it becomes part of a path. */
function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)
}

function checkOf(body: Uint8Array): Uint8Array {
  return createHash('sha256').update(body).digest().subarray(0, CHECK_SIZE)
}

const MAGIC = 'pilot-dataexchange journal 1 '
/** Over the bytes of what {@link encodeHeader} makes. */
export const LONGEST_HEADER = 128
const LENGTH_SIZE = 4
const CHECK_SIZE = 16
const HEAD_SIZE = LENGTH_SIZE + CHECK_SIZE
const NAME_SIZE = 2
const CONTENT_SIZE = 4
