import { unlink, writeFile } from 'node:fs/promises'
import { syncDirectory } from '../../disk/directory-sync.ts'
import { ifExists } from '../../disk/if-exists.ts'
import { FILE_MODE } from '../../disk/layout.ts'
import type { Logger } from '../../logger.ts'
import {
  type ClosedSegment,
  failedPath,
  type JournalFolder,
  segmentsInUse,
  tombstonesPath,
} from './journal-folder.ts'
import { SyncFailed, syncMessages, writeMessages } from './sync-messages.ts'

/**
 * Segments of the write-ahead log that wait for their checkpoint; beyond it each new message is synced by
 * itself.
 * @limit count
 */
export const JOURNAL_SEGMENTS = 4

/** Time for the checkpoints when a service stops; the next start does the others. @limit ms */
export const JOURNAL_CLOSE_MS = 2_000

/**
 * Checkpoints retired segments, one after the other: syncs the files of each, and then deletes it. A segment whose
 * files cannot be synced stays for the next start. See journal.ts.
 */
export class Checkpoints {
  readonly #folder: JournalFolder
  readonly #logger: Logger
  readonly #waiting: ClosedSegment[] = []
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(folder: JournalFolder, logger: Logger) {
    this.#folder = folder
    this.#logger = logger
  }

  /** False while too many segments wait. */
  get hasRoom(): boolean {
    return this.#waiting.length < JOURNAL_SEGMENTS
  }

  /** Queues a retired segment. */
  add(segment: ClosedSegment): void {
    segmentsInUse.add(segment.path)
    this.#waiting.push(segment)
    this.#running ??= this.#run()
  }

  /** Resolves when all segments are checkpointed, or after `JOURNAL_CLOSE_MS`: the next start does the others. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const isOver = new Promise<void>(resolve => {
      timer = setTimeout(resolve, JOURNAL_CLOSE_MS)
    })
    // A sync that hangs cannot be cancelled.
    await Promise.race([this.#running, isOver])
    clearTimeout(timer)
    this.#stop.abort()
    for (let segment = this.#waiting.shift(); segment !== undefined; segment = this.#waiting.shift())
      segmentsInUse.delete(segment.path)
  }

  async #run(): Promise<void> {
    for (;;) {
      const segment = this.#waiting.shift()
      if (segment === undefined || this.#stop.signal.aborted) {
        if (segment !== undefined) segmentsInUse.delete(segment.path)
        this.#running = undefined
        return
      }
      try {
        await this.#checkpoint(segment)
      } catch (err) {
        if (!this.#stop.signal.aborted)
          this.#logger.warn({ err, path: segment.path }, 'messages cannot be synced; the journal keeps them')
      }
      segmentsInUse.delete(segment.path)
    }
  }

  async #checkpoint(segment: ClosedSegment): Promise<void> {
    const { path, names } = segment
    const { dir, layout } = this.#folder
    const { signal } = this.#stop
    await segment.settled()
    if (segment.hasFailed) await writeMessages(layout.dir, path, signal)
    else
      await syncMessages(layout.dir, names, signal).catch(async error => {
        if (!(error instanceof SyncFailed)) throw error
        await writeFile(failedPath(path), '', { mode: FILE_MODE })
        await writeMessages(layout.dir, path, signal)
      })
    await ifExists(syncDirectory(layout.dir), undefined)
    await ifExists(unlink(path), undefined)
    // A segment that a power cut brought back would bring back messages that were removed since.
    await ifExists(syncDirectory(dir), undefined)
    for (const sidecar of [tombstonesPath(path), failedPath(path)]) await ifExists(unlink(sidecar), undefined)
  }
}
