import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { archiveError } from '../../archive/archive-error.ts'
import type { TarSource } from '../../archive/read-tar.ts'

/** An archive on the disk. It is read forward through a window, since many small files fit into one read. */
export class ArchiveFile implements TarSource {
  readonly size: number
  readonly #handle: FileHandle
  readonly #window: Uint8Array = Buffer.allocUnsafeSlow(WINDOW_SIZE)
  #windowAt = 0
  #windowSize = 0

  private constructor(handle: FileHandle, size: number) {
    this.#handle = handle
    this.size = size
  }

  /** Opens the archive at `path`. Throws ARCHIVE_INVALID if it is not a regular file. */
  static async open(path: string): Promise<ArchiveFile> {
    const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
    const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw archiveError('it is not a regular file')
      return new ArchiveFile(handle, stats.size)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Fills `into` with the bytes at offset `at`. */
  async read(into: Uint8Array, at: number): Promise<void> {
    if (into.length > WINDOW_SIZE) return this.#fill(into, at)
    if (at < this.#windowAt || at + into.length > this.#windowAt + this.#windowSize) {
      this.#windowSize = 0
      const wanted = Math.min(WINDOW_SIZE, this.size - at)
      await this.#fill(this.#window.subarray(0, wanted), at)
      this.#windowAt = at
      this.#windowSize = wanted
    }
    const from = at - this.#windowAt
    into.set(this.#window.subarray(from, from + into.length))
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #fill(into: Uint8Array, at: number): Promise<void> {
    for (let used = 0; used < into.length; ) {
      const { bytesRead } = await this.#handle.read(into, used, into.length - used, at + used)
      if (bytesRead === 0) throw archiveError('it was cut short while it was read')
      used += bytesRead
    }
  }
}

const WINDOW_SIZE = 128 * 1024
