import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'
import { syncDirectory } from '../directory-sync.ts'
import { Fifo } from '../fifo.ts'
import { ifThere } from '../missing.ts'
import { type ClosedSegment, type JournalFolder, removedPath, segmentsInUse } from './journal-folder.ts'

/**
 * Has a journal forget its segments, one after the other: the files of one are made durable themselves, then it is
 * removed. One whose files cannot be synced stays, for the next start.
 */
export class Checkpoints {
  readonly #folder: JournalFolder
  readonly #logger: Logger
  readonly #waiting = new Fifo<ClosedSegment>()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(folder: JournalFolder, logger: Logger) {
    this.#folder = folder
    this.#logger = logger
  }

  /** False where so many segments wait that no new one should be begun. */
  get hasRoom(): boolean {
    return this.#waiting.length < LIMITS.journalSegments.value
  }

  /** Takes `segment` up, which is written no more. */
  add(segment: ClosedSegment): void {
    segmentsInUse.add(segment.path)
    this.#waiting.push(segment)
    this.#running ??= this.#run()
  }

  /** Resolves when all segments are forgotten, or `LIMITS.journalClose` is over: the next start forgets the others. */
  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const isOver = new Promise<void>(resolve => {
      timer = setTimeout(resolve, LIMITS.journalClose.value)
    })
    // A sync that the disk does not answer cannot be ended.
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
        await this.#forget(segment)
      } catch (err) {
        if (!this.#stop.signal.aborted)
          this.#logger.warn({ err, path: segment.path }, 'messages cannot be synced; the journal keeps them')
      }
      segmentsInUse.delete(segment.path)
    }
  }

  async #forget(segment: ClosedSegment): Promise<void> {
    const { path, names } = segment
    const { dir, layout } = this.#folder
    const { signal } = this.#stop
    await segment.settled()
    if (names.length <= FEW || !(await syncFileSystem(layout.dir, signal)))
      await syncEach(layout.dir, names, signal)
    await ifThere(syncDirectory(layout.dir), undefined)
    await ifThere(unlink(path), undefined)
    // One that a power cut brought back would bring back what has been removed since.
    await ifThere(syncDirectory(dir), undefined)
    await ifThere(unlink(removedPath(path)), undefined)
  }
}

/** So many are synced one by one, more of them together with all else that their file system has to write. */
const FEW = 64

/** The files `names` of `dir` that are still there. */
async function syncEach(dir: string, names: readonly string[], signal: AbortSignal): Promise<void> {
  for (const name of names) {
    signal.throwIfAborted()
    const handle = await openMessage(join(dir, name))
    await handle?.datasync().finally(() => handle.close())
  }
}

/** Undefined where there is none any more, or something else. */
async function openMessage(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, READ_PLAIN_FILE)
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

/** Whatever has come to stand under the name of a message must not be followed, nor waited for. */
const READ_PLAIN_FILE = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Node has no syncfs(). False where the system has no command for it, or it failed. */
async function syncFileSystem(dir: string, signal: AbortSignal): Promise<boolean> {
  // Elsewhere it takes no such option, and may not wait for the disk.
  if (process.platform !== 'linux') return false
  const child = spawn('sync', ['-f', dir], { stdio: 'ignore', signal })
  // Nor must it keep a process from ending.
  child.unref()
  const [status] = await once(child, 'exit').catch(() => [undefined])
  signal.throwIfAborted()
  return status === 0
}
