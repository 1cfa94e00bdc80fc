import { coalesce } from '../../async/coalesce.ts'
import type { NameChoice, PublishRecord } from '../../disk/durable-folder.ts'
import type { FolderLayout } from '../../disk/layout.ts'
import { hasNoHardLinks } from '../../disk/publish.ts'
import { SmallFile } from '../../disk/small-file.ts'
import type { Logger } from '../../logger.ts'
import { adopt } from '../journal/abandoned-segments.ts'
import { Checkpoints } from '../journal/checkpoints.ts'
import { Journal } from '../journal/journal.ts'
import { JournalFolder } from '../journal/journal-folder.ts'
import { type Recovered, recoverJournal } from '../journal/journal-recovery.ts'
import { addTombstones } from '../journal/tombstones.ts'

/**
 * The fast path of small files into a folder: synchronous calls, and durability by the write-ahead log (journal.ts).
 * Whenever something is unusual it leaves nothing behind and returns false, and the file takes the slow path,
 * `DurableFolder`.
 */
export class JournaledWriter {
  readonly #folder: JournalFolder
  readonly #logger: Logger
  readonly #checkpoints: Checkpoints
  readonly #journal: Journal | undefined
  /** Names that the journal may have although they were not stored, until they have tombstones. */
  readonly #revoked = new Set<string>()
  readonly #buryRevoked: () => Promise<void> = coalesce(() => this.#bury([...this.#revoked]))
  #recovered: Recovered = NOTHING
  /** The folder's file system has no hard links: every write here would fail. */
  #isUnusable = false

  /** With `durable` false nothing is synced, and there is no journal. */
  constructor(layout: FolderLayout, durable: boolean, logger: Logger) {
    this.#folder = new JournalFolder(layout)
    this.#logger = logger
    this.#checkpoints = new Checkpoints(this.#folder, logger)
    this.#journal = durable ? new Journal(this.#folder, this.#checkpoints) : undefined
  }

  /** Recovers from the journals of earlier processes, see {@link recoverJournal}. */
  async recover(): Promise<void> {
    this.#recovered = await recoverJournal(this.#folder, this.#logger)
  }

  /** Whether {@link recover} has restored the file `name`, perhaps with another inode. */
  hasRestored(name: string): boolean {
    return this.#recovered.restored.has(name)
  }

  /** Checkpoints the recovered journals. {@link hasRestored} returns false from then on. */
  forgetRecovered(): void {
    for (const segment of this.#recovered.segments) {
      adopt(segment)
      this.#checkpoints.add(segment)
    }
    this.#recovered = NOTHING
  }

  /**
   * Writes a file of the bytes that `render` makes, at most {@link MAX_JOURNALED_SIZE}. Resolves with true when it is
   * complete, durable and visible under `choice.name`, or with false when it was not written and nothing is left of it.
   */
  async write({ name }: NameChoice, render: () => Uint8Array, record?: PublishRecord): Promise<boolean> {
    if (this.#isUnusable || this.#journal?.hasRoom === false) return false
    const content = render()
    let file: SmallFile
    try {
      file = SmallFile.create(this.#folder.layout, content)
    } catch {
      return false
    }
    const isStored = await this.#publish(file, { name, content }, record)
    file.discard()
    if (isStored) await record?.committed()
    else if (this.#journal !== undefined) this.#revoked.add(name)
    if (this.#revoked.size > 0) await this.#buryRevoked()
    return isStored
  }

  /** Resolves when all segments are checkpointed, or the time for that is over. */
  async close(): Promise<void> {
    await this.#journal?.close()
    if (this.#revoked.size > 0) await this.#buryRevoked()
    await this.#checkpoints.close()
  }

  async #publish(
    file: SmallFile,
    entry: { name: string; content: Uint8Array },
    record: PublishRecord | undefined,
  ): Promise<boolean> {
    let settle: (() => void) | undefined
    try {
      // The id first: a message that the journal brings back must be known by its id, or it could be stored twice.
      await record?.intent(entry.name, file.inode)
      settle = await this.#journal?.append(entry)
      // The name last: before the entry is durable, a power cut could leave a torn file under it.
      return file.publish(entry.name)
    } catch (error) {
      this.#isUnusable ||= hasNoHardLinks(error)
      return false
    } finally {
      settle?.()
    }
  }

  /** Adds tombstones, so that a power cut brings no file back. Never rejects: the next write tries again. */
  async #bury(names: readonly string[]): Promise<void> {
    try {
      await addTombstones(this.#folder.layout, names, this.#folder.journal)
      for (const name of names) this.#revoked.delete(name)
    } catch {
      // The names stay in #revoked.
    }
  }
}

const NOTHING: Recovered = { restored: new Set(), segments: [] }
/**
 * The largest file for the fast path, in bytes. A larger one gains little by group commit, would be written twice,
 * and is better written by the thread pool.
 */
export const MAX_JOURNALED_SIZE: number = 128 * 1024
