import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/**
 * The SHA-256 of a file that is being appended to. Bytes that an earlier process has written are read from the disk,
 * concurrently with new writes. When that reader has caught up, new bytes are hashed from memory.
 */
export class TrailingHash {
  readonly #handle: FileHandle
  readonly #hash = createHash('sha256')
  /** Number of bytes hashed. */
  #at = 0
  /** Number of bytes in the file. */
  #end: number
  #reading: Promise<void> | undefined
  #stopped = false

  /** `size` is the number of bytes that the file has now. */
  constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.#end = size
    if (size === 0) return
    this.#reading = this.#read()
    // `digest` reports the error.
    this.#reading.catch(() => undefined)
  }

  /** Adds `bytes`, which have just been appended to the file. */
  update(bytes: Uint8Array): void {
    this.#end += bytes.length
    // The reader, if it still runs, reads them from the disk.
    if (this.#reading !== undefined) return
    this.#hash.update(bytes)
    this.#at = this.#end
  }

  /** Resolves with the hash of the whole file; can be called once. Rejects if the file cannot be read. */
  async digest(): Promise<Buffer> {
    await this.#reading
    return this.#hash.digest()
  }

  /** Stops reading; when this has resolved, the file may be closed. Never rejects. */
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
