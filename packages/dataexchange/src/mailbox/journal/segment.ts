import { fdatasyncSync, statSync } from 'node:fs'
import { type FileHandle, unlink } from 'node:fs/promises'
import { bootId } from '../../disk/boot-id.ts'
import { openFile } from '../../disk/descriptors.ts'
import { makeFolder, syncDirectory } from '../../disk/directory-sync.ts'
import { retryInFolder } from '../../disk/if-exists.ts'
import { FILE_MODE } from '../../disk/layout.ts'
import { writeAllSync } from '../../disk/write-all.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import { type ClosedSegment, type JournalFolder, segmentsInUse } from './journal-folder.ts'
import { encodeBatch, encodeHeader, type JournalEntry } from './journal-format.ts'

/** One file of the journal, open for appending. */
export class Segment implements ClosedSegment {
  readonly path: string
  /** The files whose entries it has. */
  readonly names: string[] = []
  readonly #handle: FileHandle
  readonly #inode: number
  readonly #begunAt = performance.now()
  #unsettled = 0
  #onSettled: (() => void) | undefined
  readonly #settle = (): void => {
    this.#unsettled--
    if (this.#unsettled === 0) this.#onSettled?.()
  }
  #lastSyncMs = Number.POSITIVE_INFINITY
  #end = 0
  /** The size up to which blocks are allocated. A sync of data within them writes no metadata. */
  #allocated = 0

  private constructor(path: string, handle: FileHandle, inode: number) {
    this.path = path
    this.#handle = handle
    this.#inode = inode
  }

  /** Creates a segment, durably. A missing folder is created. */
  static async create(folder: JournalFolder): Promise<Segment> {
    const path = folder.newPath()
    let handle: FileHandle | undefined
    segmentsInUse.add(path)
    try {
      handle = await retryInFolder(
        () => makeFolder(folder.dir, true),
        () => openFile(path, 'wx', FILE_MODE),
      )
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

  /** Whether it is full or old, and another segment should follow. */
  get isDue(): boolean {
    const age = performance.now() - this.#begunAt
    return this.#end >= FIXED_LIMITS.journalSegment.value || age >= FIXED_LIMITS.journalAge.value
  }

  /**
   * Appends a batch of entries. Resolves when it is durable, with a function to call once for each entry, when its file
   * has its name or never will. After a rejection nothing more may be appended: the file's content, and the effect of
   * another sync, are unknown.
   */
  async append(entries: readonly JournalEntry[]): Promise<() => void> {
    for (const { name } of entries) this.names.push(name)
    this.#write(encodeBatch(entries))
    await this.#sync(entries.length)
    // Recovery would not find a segment that was removed, or moved away with its folder.
    if (statSync(this.path).ino !== this.#inode) throw new Error('the journal was moved or deleted')
    this.#unsettled += entries.length
    return this.#settle
  }

  settled(): Promise<void> {
    return new Promise(resolve => {
      this.#onSettled = resolve
      if (this.#unsettled === 0) resolve()
    })
  }

  /** Closes the file; nothing may be appended afterwards. Never rejects. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  /**
   * For a single entry on a fast disk the thread pool takes as long as the sync itself. So this thread syncs, unless
   * the last sync was slow.
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
