import { fstatSync } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { coalesce } from '../../async/coalesce.ts'
import { FILE_MODE } from '../../disk/layout.ts'
import { writeAll } from '../../disk/write-all.ts'

/** Records in one file of the log of message ids, two for each message; then a new file begins. @limit count */
export const ID_LOG_RECORDS = 4_096

/**
 * One append-only file of the log of message ids. It is deleted once it is retired and none of its records is needed.
 * Its descriptor is closed once it is retired and no sync is awaited.
 */
export class IdLogFile {
  /** Resolves when every record written before the call is durable. Concurrent calls share a sync. */
  readonly sync: () => Promise<void>
  readonly #path: string
  readonly #handle: FileHandle
  readonly #onClose: () => void
  #hasFailed = false
  #isRetired = false
  #records = 0
  #needed = 0
  #unsettled = 0

  private constructor(path: string, handle: FileHandle, onClose: () => void) {
    this.#path = path
    this.#handle = handle
    this.#onClose = onClose
    this.sync = coalesce(() => this.#attempt(() => handle.datasync()))
    inUse.add(path)
  }

  /** Creates the file. `onClose` is called when the log no longer has to {@link close} it. */
  static async create(path: string, onClose: (file: IdLogFile) => void): Promise<IdLogFile> {
    const handle = await open(path, 'wx', FILE_MODE)
    const file: IdLogFile = new IdLogFile(path, handle, () => onClose(file))
    return file
  }

  /** False if the file is full, has failed, or was deleted by another process. */
  get isUsable(): boolean {
    const hasRoom = !this.#hasFailed && this.#records < ID_LOG_RECORDS
    return hasRoom && fstatSync(this.#handle.fd).nlink > 0
  }

  /** Appends `lines`. Call {@link settle} and {@link release} once for each of them. Calls must not overlap. */
  async write(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.join(''))
    await this.#attempt(() =>
      writeAll([bytes], async ([rest = bytes]) => (await this.#handle.write(rest)).bytesWritten),
    )
    this.#records += lines.length
    this.#needed += lines.length
    this.#unsettled += lines.length
  }

  /** No sync of one of the records is awaited any more. Never throws. */
  settle(): void {
    this.#unsettled--
    void this.#cleanUp()
  }

  /** One of the records is no longer needed. Never rejects. */
  async release(): Promise<void> {
    this.#needed--
    await this.#cleanUp()
  }

  /** Nothing more will be written. Never rejects. */
  async retire(): Promise<void> {
    this.#isRetired = true
    await this.#cleanUp()
  }

  /** Closes the file and keeps it on the disk. Never rejects. */
  async close(): Promise<void> {
    inUse.delete(this.#path)
    this.#onClose()
    await this.#closeHandle()
  }

  /** A record can be needed for ten minutes, and must not hold a descriptor for as long. */
  async #cleanUp(): Promise<void> {
    if (!this.#isRetired) return
    if (this.#needed === 0) {
      await this.close()
      await unlink(this.#path).catch(() => undefined)
    } else if (this.#unsettled === 0) await this.#closeHandle()
  }

  async #closeHandle(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  /** After a failure the file takes no more records: its content, and the effect of another sync, are unknown. */
  async #attempt(run: () => Promise<void>): Promise<void> {
    if (this.#hasFailed) throw new Error('an earlier write of message ids failed')
    try {
      await run()
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }
}

/** Whether a log of this process still uses the file at `path`. */
export function isIdLogInUse(path: string): boolean {
  return inUse.has(path)
}

const inUse = new Set<string>()
