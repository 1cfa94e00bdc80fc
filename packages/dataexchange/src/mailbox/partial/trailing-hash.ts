import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/**
 * The SHA-256 of a file that is being appended to. What was there before is read from the disk, beside the
 * writing; once that has caught up, what is written is taken from memory.
 */
export class TrailingHash {
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')
  /** Bytes hashed, and bytes of the file. */
  #at = 0
  #end: number
  #reading: Promise<void> | undefined
  #stopped = false

  /** The file has `size` bytes already. */
  constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.#end = size
    if (size === 0) return
    this.#reading = this.#read()
    // Whoever asks for the digest is told.
    this.#reading.catch(() => undefined)
  }

  /** `bytes` have been appended. */
  update(bytes: Uint8Array): void {
    this.#end += bytes.length
    // Otherwise the reader will come to them.
    if (this.#reading !== undefined) return
    this.#hash.update(bytes)
    this.#at = this.#end
  }

  /** The hash of the whole file, once. Rejects where it could not be read. */
  async digest(): Promise<Buffer> {
    await this.#reading
    return this.#hash.digest()
  }

  /** Reads no more; the file may be closed once this resolves. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#reading?.catch(() => undefined)
  }

  async #read(): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, this.#end))
    while (this.#at < this.#end && !this.#stopped) {
      const wanted = Math.min(buffer.length, this.#end - this.#at)
      const { bytesRead } = await this.#handle.read(buffer, 0, wanted, this.#at)
      if (bytesRead === 0) throw new Error('a partial file was cut short while it was read back')
      this.#hash.update(buffer.subarray(0, bytesRead))
      this.#at += bytesRead
    }
    this.#reading = undefined
  }
}

const READ_SIZE = 256 * 1024
