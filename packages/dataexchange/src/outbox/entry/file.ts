import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../bytes.ts'
import type { SeekableSource } from '../../client/source/file-source.ts'
import type { TemporaryFile } from '../../disk/temporary-file.ts'
import { damaged, decodeHead, type EntryHead, encodeHead, MAX_HEAD } from './head.ts'
import { ENTRY_SUFFIX, parseStem } from './name.ts'
import { VerifiedSource } from './verified-source.ts'

/**
 * Writes an entry: the head as one line of JSON, the payload, and the SHA-256 of both in hex as the last line. The hash is
 * last, so that a payload of unknown length is written in one pass.
 */
export async function writeEntry(
  file: TemporaryFile,
  head: EntryHead,
  payload: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const hash = createHash('sha256')
  const write = async (piece: Uint8Array) => {
    hash.update(piece)
    await file.write([piece])
  }
  await write(encodeHead(head))
  for await (const piece of payload) await write(piece)
  await file.write([utf8(`${hash.digest('hex')}\n`)])
}

/** An entry's file, open for reading. */
export class EntryReader {
  readonly head: EntryHead
  /** Start of its time to live, ms since the Unix epoch: when it was added or renewed. */
  readonly since: number
  /** When it became visible, ms since the Unix epoch: the time of change of its inode. */
  readonly publishedAt: number
  /** Bytes of the payload in the entry. */
  readonly size: number
  readonly #handle: FileHandle
  readonly #start: number

  private constructor(
    handle: FileHandle,
    fields: Pick<EntryReader, 'head' | 'since' | 'publishedAt' | 'size'>,
    start: number,
  ) {
    this.#handle = handle
    this.#start = start
    this.head = fields.head
    this.since = fields.since
    this.publishedAt = fields.publishedAt
    this.size = fields.size
  }

  /**
   * Opens the entry `stem` in the folder `dir`.
   *
   * @throws {OutboxError} OUTBOX_DAMAGED
   * @throws a system error, ENOENT if the entry was removed
   */
  static async open(dir: string, stem: string): Promise<EntryReader> {
    const handle = await open(join(dir, stem + ENTRY_SUFFIX), 'r')
    try {
      const { size, mtimeMs, ctimeMs } = await handle.stat()
      const expected = parseStem(stem)?.bytes
      if (size !== expected) throw damaged(`its file has ${size} bytes, not ${expected}`)
      const { head, length } = await readHead(handle, size)
      if (size < length + SUM_SIZE) throw damaged('its file is cut short')
      const payloadSize = size - length - SUM_SIZE
      const fields = { head, since: mtimeMs, publishedAt: ctimeMs, size: payloadSize }
      return new EntryReader(handle, fields, length)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /**
   * The payload, verified against the hash at the end: a damaged one throws OUTBOX_DAMAGED before the last piece. Valid until
   * {@link close}.
   */
  async payload(): Promise<SeekableSource> {
    const sum = await this.#read(this.#start + this.size, SUM_SIZE)
    return new VerifiedSource({
      handle: this.#handle,
      start: this.#start,
      size: this.size,
      hash: createHash('sha256').update(await this.#read(0, this.#start)),
      sha256: sum.toString('latin1', 0, SUM_SIZE - 1),
      wrong: damaged,
    })
  }

  /** The whole verified payload, for a small one. */
  async whole(): Promise<Uint8Array> {
    const pieces: Uint8Array[] = []
    for await (const piece of (await this.payload()).pieces()) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }

  async #read(at: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(length)
    const { bytesRead } = await this.#handle.read(buffer, 0, length, at)
    if (bytesRead < length) throw damaged('its file is cut short')
    return buffer
  }
}

/** Reads a short piece first, since nearly all heads are short; a longer one if it has no end of line. */
async function readHead(handle: FileHandle, size: number): Promise<{ head: EntryHead; length: number }> {
  let start = Buffer.alloc(0)
  for (const most of [SHORT_HEAD, MAX_HEAD]) {
    start = Buffer.allocUnsafe(Math.min(size, most))
    const { bytesRead } = await handle.read(start, 0, start.length, 0)
    start = start.subarray(0, bytesRead)
    if (start.includes('\n')) break
  }
  return decodeHead(start)
}

const SHORT_HEAD = 1024
/** 64 hex digits and the end of the line. */
const SUM_SIZE = 65
