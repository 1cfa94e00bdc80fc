import { fstatSync } from 'node:fs'
import { type FileHandle, unlink } from 'node:fs/promises'
import { FIXED_LIMITS } from '../limits.ts'
import { openFile } from './descriptors.ts'
import { FILE_MODE } from './layout.ts'
import { writeAll } from './write-all.ts'

/** A file that is being written, under a hidden name. */
export class TemporaryFile {
  readonly path: string
  readonly #handle: FileHandle
  #size = 0
  #open = true

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  /** Creates the file at `path`, which must not exist. If no descriptor is left it waits, see {@link openFile}. */
  static async create(path: string): Promise<TemporaryFile> {
    return new TemporaryFile(path, await openFile(path, 'wx+', FILE_MODE))
  }

  /** The number of bytes written. */
  get size(): number {
    return this.#size
  }

  /** The inode, which identifies the file if another one gets its name later. Read it before {@link finish}. */
  get inode(): number {
    return fstatSync(this.#handle.fd).ino
  }

  /** The modification time of the file system in ms since the Unix epoch. Read it before {@link finish}. */
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
   * Appends all pieces of `source`. While one part is being written the next is gathered, so that the disk and the
   * source do not wait for each other. If the unwritten bytes of all files reach their limit, it takes the next piece
   * only when the last one is written. An error of `source` is rethrown when no write is running.
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
          // Do not wait for the next piece, which may take long: unwritten bytes count against other files.
          writeNext()
        })
    }
    const mustWait = () => bytes >= MAX_GATHERED || unwritten > FIXED_LIMITS.unwrittenBytes.value
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
   * Reads the written content from its start, in chunks of `chunkSize` bytes; the last one may be shorter. The chunks
   * share one buffer: each overwrites the one before.
   */
  async *read(chunkSize: number): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, this.#size))
    for (let at = 0; at < this.#size; ) {
      const wanted = Math.min(chunkSize, this.#size - at)
      let filled = 0
      while (filled < wanted) {
        const { bytesRead } = await this.#handle.read(buffer, filled, wanted - filled, at + filled)
        if (bytesRead === 0) throw new Error('a temporary file was truncated while it was read')
        filled += bytesRead
      }
      yield buffer.subarray(0, filled)
      at += filled
    }
  }

  /** Reads all written content. */
  async readAll(): Promise<Uint8Array> {
    for await (const bytes of this.read(this.#size)) return bytes
    return new Uint8Array(0)
  }

  /** Checks the size, makes the content durable if `durable` is true, and closes the file. */
  async finish(durable: boolean): Promise<void> {
    const { size } = fstatSync(this.#handle.fd)
    if (size !== this.#size) throw new Error(`the file has ${size} bytes after ${this.#size} were written`)
    // Only once: a successful fsync after a failed one proves nothing, since the kernel may have dropped the dirty
    // pages.
    if (durable) await this.#handle.datasync()
    this.#open = false
    await this.#handle.close()
  }

  /** Closes and removes the file. Never rejects: the next start sweeps a name that remains. */
  async discard(): Promise<void> {
    if (this.#open) await this.#handle.close().catch(() => undefined)
    this.#open = false
    await unlink(this.path).catch(() => undefined)
  }
}

/** Bytes that one file gathers during a write. */
const MAX_GATHERED = 512 * 1024
/** Bytes gathered or being written, of all mailboxes in the process: they share its memory. */
let unwritten = 0
