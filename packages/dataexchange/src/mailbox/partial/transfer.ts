import { type FileHandle, lstat } from 'node:fs/promises'
import { writeAll } from '../../disk/write-all.ts'
import { MailboxError } from '../../errors.ts'
import type { FinishedFile, StoredFile } from '../received/received.ts'
import { TrailingHash } from './trailing-hash.ts'

/** How a {@link Transfer} is set up. */
export interface TransferOptions {
  /** Size of the whole file in bytes. */
  readonly size: number
  readonly sha256: Uint8Array
  /** Handle of the partial file; the transfer closes it. */
  readonly handle: FileHandle
  /** Path of the partial file. */
  readonly path: string
  /** Size of the partial file in bytes: the resume offset. */
  readonly offset: number
  /** Whether the file is synced before it is published. */
  readonly durable: boolean
  /** Reserves this many more bytes; rejects with RECEIVED_FULL if the quota does not allow them. */
  readonly reserve: (bytes: number) => Promise<void>
  /** Called after this many bytes have been written. */
  readonly onWritten: (bytes: number) => void
  /** Publishes the partial file, and removes its name among the partial files. */
  readonly publish: (file: Pick<FinishedFile, 'path' | 'modifiedMs'>) => Promise<StoredFile>
  /** Removes the partial file. Never rejects. */
  readonly remove: () => Promise<void>
  /** Called once, when the transfer is over and its file closed. */
  readonly onClosed: () => void
  /** Turns an error of the file system into the error to throw. */
  readonly failure: (error: unknown) => Error
}

/**
 * One file that arrives in chunks. The bytes are appended to a partial file; the complete file is checked and published
 * `[stream.receive-done]`. After an error of the file system, or a wrong hash `[stream.receive-corrupt]`, the partial
 * file is removed, since its bytes cannot be trusted. After any other end it stays, and a later transfer resumes it
 * `[stream.receive-resume]`.
 *
 * Methods that write run one at a time: call `write` again when the last call has resolved.
 */
export class Transfer {
  /** Size of the whole file in bytes. */
  readonly size: number
  /** Resolves when the transfer is over, for whatever reason. */
  readonly closed: Promise<void>
  readonly #options: TransferOptions
  readonly #hash: TrailingHash
  #offset: number
  /** Why the transfer is over. */
  #over: string | undefined
  #busy: Promise<unknown> | undefined
  #ending: Promise<void> | undefined
  #isHandleOpen = true
  #resolveClosed = () => {}
  #progressAt = performance.now()

  constructor(options: TransferOptions) {
    this.size = options.size
    this.#options = options
    this.#offset = options.offset
    this.#hash = new TrailingHash(options.handle, options.offset)
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
  }

  /** Resume offset: the number of bytes written, at which the sender continues. */
  get offset(): number {
    return this.#offset
  }

  /** Milliseconds since the last operation; 0 during one. */
  get idleMs(): number {
    return this.#busy === undefined ? performance.now() - this.#progressAt : 0
  }

  /**
   * Appends `bytes`. Resolves when they are written; they become durable with {@link finish}. If it rejects, the
   * transfer is over.
   *
   * @throws {MailboxError} TRANSFER_CLOSED; RECEIVED_FULL if other files have used up the quota; STORE_FAILED, with the
   * file system's error as `cause`
   */
  write(bytes: Uint8Array): Promise<void> {
    return this.#exclusively(async () => {
      await this.#options.reserve(bytes.length)
      await writeAll([bytes], async ([rest = bytes]) => {
        const { bytesWritten } = await this.#options.handle.write(rest, 0, rest.length, this.#offset)
        this.#hash.update(rest.subarray(0, bytesWritten))
        this.#offset += bytesWritten
        this.#options.onWritten(bytesWritten)
        return bytesWritten
      })
    })
  }

  /**
   * Checks size and SHA-256 and publishes the file. Resolves when it is durable and visible under its final name. The
   * transfer is over afterwards, also if this rejects.
   *
   * @throws {MailboxError} TRANSFER_CLOSED; TRANSFER_INCOMPLETE if bytes are missing; TRANSFER_CORRUPT if the hash does
   * not match; STORE_FAILED, with the file system's error as `cause`
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
   * Ends the transfer, after a write that is under way. Never rejects, and may be called again.
   *
   * @param why stands in the error of later calls. @default 'it was closed'
   * @param isKept whether the partial file stays, to be resumed. @default true
   */
  async close(why = 'it was closed', isKept = true): Promise<void> {
    this.#over ??= why
    await this.#busy?.catch(() => undefined)
    await this.#end(why, isKept)
  }

  /** Same as {@link close}: the partial file stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
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
      'the SHA-256 of the received bytes is not the announced one; send the file again',
    )
  }

  /** Syncs and closes the file; resolves with the time of its last write. */
  async #sync(): Promise<number> {
    const { handle, path, durable } = this.#options
    const { ino, dev, size, mtimeMs } = await handle.stat()
    if (size !== this.size) throw new Error(`the partial file has ${size} bytes, not ${this.size}`)
    // Another program may have removed or replaced the file.
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
    this.#resolveClosed()
  }
}

/** Errors after which the bytes on the disk can still be trusted. */
const KEPT: ReadonlySet<string> = new Set(['RECEIVED_FULL', 'TRANSFER_INCOMPLETE'])

function incomplete(offset: number, size: number): MailboxError {
  return new MailboxError('TRANSFER_INCOMPLETE', `${size - offset} of ${size} bytes have not been received`)
}
