import { type FileHandle, lstat } from 'node:fs/promises'
import { MailboxError } from '../../errors.ts'
import type { FinishedFile, StoredFile } from '../received/received.ts'
import { TrailingHash } from './trailing-hash.ts'

/** What a {@link Transfer} works with. */
export interface TransferOptions {
  /** Bytes of the whole file. */
  readonly size: number
  readonly sha256: Uint8Array
  /** The partial file, open, and its path. */
  readonly handle: FileHandle
  readonly path: string
  /** Bytes that it holds. */
  readonly offset: number
  readonly durable: boolean
  /** Rejects where the folder has no room for so many bytes more. */
  readonly checkRoom: (bytes: number) => Promise<void>
  /** So many more bytes are on the disk. */
  readonly onGrown: (bytes: number) => void
  /** Publishes the partial file, and removes its own name. */
  readonly publish: (file: Pick<FinishedFile, 'path' | 'modifiedMs'>) => Promise<StoredFile>
  /** Removes the partial file. Never rejects. */
  readonly remove: () => Promise<void>
  /** The transfer is over and its file closed. */
  readonly onClosed: () => void
  /** Gives the error to throw for one of the file system. */
  readonly failure: (error: unknown) => Error
}

/**
 * One file that comes in chunks (section 4): written to its partial file from the first byte to the last, then
 * checked and published. Errors of the file system, and a hash that does not match, take the partial file with
 * them: what it holds cannot be trusted. Anything else that ends a transfer leaves it, to be resumed from.
 */
export class Transfer {
  /** Bytes of the whole file. */
  readonly size: number
  /** Resolves when the transfer is over, whatever has ended it. */
  readonly closed: Promise<void>
  readonly #options: TransferOptions
  readonly #hash: TrailingHash
  #offset: number
  #over: string | undefined
  #busy: Promise<unknown> | undefined
  #ending: Promise<void> | undefined
  #isHandleOpen = true
  #tellClosed = () => {}
  #progressAt = performance.now()

  constructor(options: TransferOptions) {
    this.size = options.size
    this.#options = options
    this.#offset = options.offset
    this.#hash = new TrailingHash(options.handle, options.offset)
    this.closed = new Promise(resolve => {
      this.#tellClosed = resolve
    })
  }

  /** Bytes on the disk, from the first on: where the sender is to go on. */
  get offset(): number {
    return this.#offset
  }

  /** Milliseconds since the last byte was written; 0 while something is being done. */
  get idleMs(): number {
    return this.#busy === undefined ? performance.now() - this.#progressAt : 0
  }

  /**
   * Appends `bytes`. Resolves when they are written; they are not durable yet.
   *
   * @throws {MailboxError} TRANSFER_CLOSED; RECEIVED_FULL where other files have taken the room; STORE_FAILED. The
   * transfer is over then.
   */
  write(bytes: Uint8Array): Promise<void> {
    return this.#exclusively(async () => {
      await this.#options.checkRoom(bytes.length)
      for (let rest = bytes; rest.length > 0; ) {
        const { bytesWritten } = await this.#options.handle.write(rest, 0, rest.length, this.#offset)
        if (bytesWritten === 0) throw new Error('the file system took none of the bytes and named no fault')
        this.#hash.update(rest.subarray(0, bytesWritten))
        this.#offset += bytesWritten
        this.#options.onGrown(bytesWritten)
        rest = rest.subarray(bytesWritten)
      }
    })
  }

  /**
   * Checks size and SHA-256 and publishes the file. Resolves when it is durable and visible under its final
   * name. The transfer is over then, whatever comes of it.
   *
   * @throws {MailboxError} TRANSFER_CLOSED; TRANSFER_INCOMPLETE where bytes are missing; TRANSFER_CORRUPT where
   * the hash is another; STORE_FAILED
   */
  async finish(): Promise<StoredFile> {
    const stored = await this.#exclusively(async () => {
      if (this.#offset !== this.size) throw incomplete(this.#offset, this.size)
      await this.#verify()
      const modifiedMs = await this.#sync()
      return this.#options.publish({ path: this.#options.path, modifiedMs })
    })
    await this.#end('it has been completed', true)
    return stored
  }

  /**
   * Ends the transfer once what is under way is done. Its partial file stays, unless `isKept` is false. Never
   * rejects.
   */
  async close(why: string, isKept = true): Promise<void> {
    this.#over ??= why
    await this.#busy?.catch(() => undefined)
    await this.#end(why, isKept)
  }

  async #exclusively<T>(run: () => Promise<T>): Promise<T> {
    if (this.#over !== undefined) {
      throw new MailboxError('TRANSFER_CLOSED', `the transfer is over: ${this.#over}`)
    }
    const running = run()
    this.#busy = running
    try {
      return await running
    } catch (error) {
      const isKept = error instanceof MailboxError && KEPT.has(error.code)
      await this.#end('it has failed', isKept)
      throw this.#options.failure(error)
    } finally {
      this.#busy = undefined
      this.#progressAt = performance.now()
    }
  }

  async #verify(): Promise<void> {
    const digest = await this.#hash.digest()
    if (digest.equals(this.#options.sha256)) return
    throw new MailboxError(
      'TRANSFER_CORRUPT',
      'the SHA-256 of what was received is not the one that was announced; send the file again',
    )
  }

  /** Makes the content durable, and closes the file; resolves with when it was last written. */
  async #sync(): Promise<number> {
    const { handle, path, durable } = this.#options
    const { ino, dev, size, mtimeMs } = await handle.stat()
    if (size !== this.size) throw new Error(`the partial file has ${size} bytes, not ${this.size}`)
    // Other programs may have removed it, or put something else in its place.
    const named = await lstat(path)
    if (named.ino !== ino || named.dev !== dev) throw new Error('the partial file has been replaced')
    if (durable) await handle.datasync()
    this.#isHandleOpen = false
    await handle.close()
    return mtimeMs
  }

  #end(why: string, isKept: boolean): Promise<void> {
    this.#over ??= why
    this.#ending ??= this.#close(isKept)
    return this.#ending
  }

  async #close(isKept: boolean): Promise<void> {
    await this.#hash.stop()
    if (this.#isHandleOpen) await this.#options.handle.close().catch(() => undefined)
    this.#isHandleOpen = false
    if (!isKept) await this.#options.remove()
    this.#options.onClosed()
    this.#tellClosed()
  }
}

/** What says nothing against the bytes that are there. */
const KEPT: ReadonlySet<string> = new Set(['RECEIVED_FULL', 'TRANSFER_INCOMPLETE'])

function incomplete(offset: number, size: number): MailboxError {
  return new MailboxError('TRANSFER_INCOMPLETE', `${size - offset} of ${size} bytes have not been received`)
}
