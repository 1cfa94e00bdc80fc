import { fstatSync } from 'node:fs'
import { type FileHandle, unlink } from 'node:fs/promises'
import { FIXED_LIMITS } from '../limits.ts'
import { openFile } from './descriptors.ts'
import { FILE_MODE } from './layout.ts'
import { writeAll } from './write-all.ts'

/** A file that is being written, under a name that nobody reads. */
export class TemporaryFile {
  readonly path: string
  readonly #handle: FileHandle
  #size = 0
  #open = true

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  /** Makes the file at `path`; it must not exist. Without a descriptor left it waits, see {@link openFile}. */
  static async create(path: string): Promise<TemporaryFile> {
    return new TemporaryFile(path, await openFile(path, 'wx+', FILE_MODE))
  }

  /** Bytes written. */
  get size(): number {
    return this.#size
  }

  /** What tells the file from others that may get its name later. To be asked before {@link finish}. */
  get inode(): number {
    return fstatSync(this.#handle.fd).ino
  }

  /** When it was last written, by the file system: ms since the Unix epoch. Only until {@link finish}. */
  get modifiedMs(): number {
    return fstatSync(this.#handle.fd).mtimeMs
  }

  /** Appends all of `pieces`. */
  async write(pieces: readonly Uint8Array[]): Promise<void> {
    await writeAll(pieces, async rest => {
      const { bytesWritten } = await this.#handle.writev(rest)
      this.#size += bytesWritten
      return bytesWritten
    })
  }

  /**
   * Appends all that `source` gives. While one part of it is being written the next is gathered, so that the disk and
   * whoever makes the pieces do not wait for each other; where all files together hold as much as they may, it takes a
   * piece only when the one before is written. What `source` throws is rethrown, when nothing is being written.
   */
  async writeAll(source: AsyncIterable<Uint8Array>): Promise<void> {
    let gathered: Uint8Array[] = []
    let bytes = 0
    let writing: Promise<void> | undefined
    let failure: { error: unknown } | undefined
    const writeNext = () => {
      if (writing !== undefined || failure !== undefined || bytes === 0) return
      const [pieces, taken] = [gathered, bytes]
      gathered = []
      bytes = 0
      writing = this.write(pieces)
        .catch(error => {
          failure = { error }
        })
        .then(() => {
          unwritten -= taken
          writing = undefined
          // Not left to the next piece, which may be long in coming: others have less meanwhile.
          writeNext()
        })
    }
    const mustWait = () => bytes >= MOST_GATHERED || unwritten > FIXED_LIMITS.unwrittenBytes.value
    try {
      for await (const piece of source) {
        gathered.push(piece)
        bytes += piece.length
        unwritten += piece.length
        writeNext()
        while (writing !== undefined && mustWait()) await writing
        if (failure !== undefined) break
      }
      while (writing !== undefined) await writing
    } finally {
      unwritten -= bytes
      bytes = 0
      await writing
    }
    if (failure !== undefined) throw failure.error
  }

  /**
   * What has been written, from its start, in chunks of `chunkSize` bytes but for the last. The chunks share
   * one buffer: each is overwritten by the next.
   */
  async *read(chunkSize: number): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, this.#size))
    for (let at = 0; at < this.#size; ) {
      const wanted = Math.min(chunkSize, this.#size - at)
      let filled = 0
      while (filled < wanted) {
        const { bytesRead } = await this.#handle.read(buffer, filled, wanted - filled, at + filled)
        if (bytesRead === 0) throw new Error('a temporary was cut short while it was read back')
        filled += bytesRead
      }
      yield buffer.subarray(0, filled)
      at += filled
    }
  }

  /** All that has been written. */
  async readAll(): Promise<Uint8Array> {
    for await (const bytes of this.read(this.#size)) return bytes
    return new Uint8Array(0)
  }

  /** Checks the size, makes the content durable where `durable`, and closes the file. */
  async finish(durable: boolean): Promise<void> {
    const { size } = fstatSync(this.#handle.fd)
    if (size !== this.#size) throw new Error(`the file has ${size} bytes after ${this.#size} were written`)
    // Once, whatever comes of it: after a failed fsync the system may call lost pages clean.
    if (durable) await this.#handle.datasync()
    this.#open = false
    await this.#handle.close()
  }

  /** Closes and removes the file. Never rejects: a name that stays behind is swept at the next start. */
  async discard(): Promise<void> {
    if (this.#open) await this.#handle.close().catch(() => undefined)
    this.#open = false
    await unlink(this.path).catch(() => undefined)
  }
}

/** Bytes that one file gathers while it is being written. */
const MOST_GATHERED = 512 * 1024
/** Bytes that files have gathered, or are writing. The process shares its memory, whatever mailboxes it has. */
let unwritten = 0
