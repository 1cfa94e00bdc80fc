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
 * The short way of small files into a folder: they are written with synchronous calls, and durable through a journal.
 * Where anything is not as usual nothing is done, and the file has to take the long way, which is `DurableFolder`.
 */
export class SmallWriter {
  readonly #folder: JournalFolder
  readonly #logger: Logger
  readonly #checkpoints: Checkpoints
  readonly #journal: Journal | undefined
  /** What the journal may hold and nobody was told of, until that is noted. */
  readonly #revoked = new Set<string>()
  readonly #noteRevoked: () => Promise<void> = coalesce(() => this.#note([...this.#revoked]))
  #recovered: Recovered = NOTHING
  /** Nothing goes this way. */
  #isClosed = false

  /** With `durable` false nothing is synced, and no journal kept. */
  constructor(layout: FolderLayout, durable: boolean, logger: Logger) {
    this.#folder = new JournalFolder(layout)
    this.#logger = logger
    this.#checkpoints = new Checkpoints(this.#folder, logger)
    this.#journal = durable ? new Journal(this.#folder, this.#checkpoints) : undefined
  }

  /** Takes up the journals that earlier processes have left, see `recoverJournal`. */
  async recover(): Promise<void> {
    this.#recovered = await recoverJournal(this.#folder, this.#logger)
  }

  /** Whether {@link recover} has seen to it that the file `name` is there; it may have another inode then. */
  hasRestored(name: string): boolean {
    return this.#recovered.restored.has(name)
  }

  /** Nobody asks any more what was {@link recover}ed: those journals can be forgotten when their files are durable. */
  forgetRecovered(): void {
    for (const segment of this.#recovered.segments) {
      adopt(segment)
      this.#checkpoints.add(segment)
    }
    this.#recovered = NOTHING
  }

  /** Whether a file of `size` bytes may go this way now. */
  takes(size: number): boolean {
    return size <= LARGEST && !this.#isClosed && this.#journal?.hasRoom !== false
  }

  /**
   * Resolves with true when a file of `bytes` is complete, durable, and visible under `choice.name`; with false where
   * it is not, and nothing is left of it.
   */
  async write(choice: NameChoice, bytes: Uint8Array, record?: PublishRecord): Promise<boolean> {
    if (!this.takes(bytes.length)) return false
    let file: SmallFile
    try {
      file = SmallFile.create(this.#folder.layout, bytes)
    } catch {
      return false
    }
    const { name } = choice
    const isStored = await this.#publish(file, { name, content: bytes }, record)
    file.discard()
    if (isStored) await record?.published()
    else if (this.#journal !== undefined) this.#revoked.add(name)
    if (this.#revoked.size > 0) await this.#noteRevoked()
    return isStored
  }

  /** Resolves when the journal holds nothing any more, or the time for that is over. */
  async close(): Promise<void> {
    await this.#journal?.close()
    if (this.#revoked.size > 0) await this.#noteRevoked()
    await this.#checkpoints.close()
  }

  async #publish(
    file: SmallFile,
    entry: { name: string; content: Uint8Array },
    record: PublishRecord | undefined,
  ): Promise<boolean> {
    let settle: (() => void) | undefined
    try {
      // First: what the journal may bring back must be known by its id, or would be stored once more.
      await record?.about(entry.name, file.inode)
      settle = await this.#journal?.append(entry)
      // Not before it is durable: until then a power cut could leave a part of it under its name.
      return file.publish(entry.name)
    } catch (error) {
      // Every later one would fail like this, and be written twice.
      this.#isClosed ||= hasNoHardLinks(error)
      return false
    } finally {
      settle?.()
    }
  }

  /** A power cut must not bring them back. Never rejects: what the disk does not take is noted with a later write. */
  async #note(names: readonly string[]): Promise<void> {
    try {
      await addTombstones(this.#folder.layout, names, this.#folder.journal)
      for (const name of names) this.#revoked.delete(name)
    } catch {
      // It stays.
    }
  }
}

const NOTHING: Recovered = { restored: new Set(), segments: [] }
/** A larger one gains little, would be written twice, and is better written by a thread. */
const LARGEST = 128 * 1024
