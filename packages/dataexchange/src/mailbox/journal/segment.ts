import { fdatasyncSync, statSync } from 'node:fs'
import { type FileHandle, unlink } from 'node:fs/promises'
import { bootId } from '../../disk/boot-id.ts'
import { openFile } from '../../disk/descriptors.ts'
import { makeFolder, syncDirectory } from '../../disk/directory-sync.ts'
import { FILE_MODE } from '../../disk/layout.ts'
import { writeAllSync } from '../../disk/small-file.ts'
import { systemCode } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { type ClosedSegment, type JournalFolder, segmentsInUse } from './journal-folder.ts'
import { encodeBatch, encodeHeader, type JournalEntry } from './journal-format.ts'

/** One file of a journal, which this process appends to. */
export class Segment implements ClosedSegment {
  readonly path: string
  /** The files that it is about: it makes them durable until they are so themselves. */
  readonly names: string[] = []
  readonly #handle: FileHandle
  readonly #inode: number
  readonly #begunAt = performance.now()
  #unsettled = 0
  #onSettled: (() => void) | undefined
  #lastSyncMs = Number.POSITIVE_INFINITY
  #end = 0
  /** Up to here the file has its blocks: writing into them changes nothing that a sync would have to write too. */
  #allocated = 0

  private constructor(path: string, handle: FileHandle, inode: number) {
    this.path = path
    this.#handle = handle
    this.#inode = inode
  }

  /** Begins a new file in `folder`, which is made where it is missing. It is there after a power cut. */
  static async create(folder: JournalFolder): Promise<Segment> {
    const path = folder.newPath()
    let handle: FileHandle | undefined
    segmentsInUse.add(path)
    try {
      handle = await openFile(path, 'wx', FILE_MODE).catch(async error => {
        if (systemCode(error) !== 'ENOENT') throw error
        await makeFolder(folder.dir, true)
        return openFile(path, 'wx', FILE_MODE)
      })
      const segment = new Segment(path, handle, statSync(path).ino)
      segment.#write(encodeHeader(bootId()))
      await Promise.all([handle.datasync(), syncDirectory(folder.dir)])
      return segment
    } catch (error) {
      await handle?.close().catch(() => undefined)
      if (handle !== undefined) await unlink(path).catch(() => undefined)
      segmentsInUse.delete(path)
      throw error
    }
  }

  /** Whether it should make way for another one. */
  get isDue(): boolean {
    const age = performance.now() - this.#begunAt
    return this.#end >= LIMITS.journalSegment.value || age >= LIMITS.journalAge.value
  }

  /**
   * Appends entries, which count together. Resolves when they are durable; {@link settle} is to be called for each then.
   * After it has rejected, nothing may be appended: what the file holds, and what another sync would do, is not known.
   */
  async append(entries: readonly JournalEntry[]): Promise<void> {
    for (const { name } of entries) this.names.push(name)
    this.#write(encodeBatch(entries))
    await this.#sync(entries.length)
    // One that was removed, or moved away with its folder, would be found by nobody.
    if (statSync(this.path).ino !== this.#inode) throw new Error('the journal is not where it was begun')
    this.#unsettled += entries.length
  }

  /** To be called for each file that was appended, when it has its name or never will. */
  settle(): void {
    this.#unsettled--
    if (this.#unsettled === 0) this.#onSettled?.()
  }

  settled(): Promise<void> {
    return new Promise(resolve => {
      this.#onSettled = resolve
      if (this.#unsettled === 0) resolve()
    })
  }

  /** Nothing will be appended any more. Never rejects. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  /**
   * For one file alone the way to a thread and back takes as long as a fast disk: this thread waits itself then, unless
   * the last sync was a slow one.
   */
  async #sync(entries: number): Promise<void> {
    const begunAt = performance.now()
    if (entries === 1 && this.#lastSyncMs < QUICK_SYNC_MS) fdatasyncSync(this.#handle.fd)
    else await this.#handle.datasync()
    this.#lastSyncMs = performance.now() - begunAt
  }

  #write(bytes: Uint8Array): void {
    const end = this.#end + bytes.length
    if (end > this.#allocated && bytes.length <= ZEROS.length) {
      writeAllSync(this.#handle.fd, ZEROS, this.#allocated)
      this.#allocated += ZEROS.length
    }
    writeAllSync(this.#handle.fd, bytes, this.#end)
    this.#end = end
    this.#allocated = Math.max(this.#allocated, end)
  }
}

const QUICK_SYNC_MS = 1
const ZEROS = new Uint8Array(256 * 1024)
