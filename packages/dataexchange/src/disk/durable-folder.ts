import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../async/coalesce.ts'
import { DirectorySync, makeFolder } from './directory-sync.ts'
import { ifThere, removeFile, retryInFolder } from './if-exists.ts'
import { type FolderLayout, temporaryPath } from './layout.ts'
import { publish } from './publish.ts'
import { TemporaryFile } from './temporary-file.ts'

/** The names that a file may get: the current one, and another where that is taken. */
export interface NameChoice {
  readonly name: string
  next(): void
}

/** How a file is written. */
export interface WriteSource {
  /** Writes the content into the temporary. */
  fill(file: TemporaryFile): Promise<void>
  /** Whether {@link fill} can be called again, on a new temporary, after it has run. */
  readonly repeatable: boolean
  /** Has a say in the publishing, and is told of it. */
  readonly record?: PublishRecord | undefined
  /** Makes what is to be published with the file, whose content is complete. @default nothing */
  companion?(file: TemporaryFile): Promise<Companion>
}

/** Keeps a record of a file that is being published. */
export interface PublishRecord {
  /** Asked when the content is complete: with false, nothing is published. */
  shouldStore(): Promise<boolean>
  /**
   * The file `inode` is about to get `name`. It gets it once this has resolved; where this rejects, the write
   * fails.
   */
  intent(name: string, inode: number): Promise<void>
  /** The file has its name, durably. Never rejects. */
  committed(): Promise<void>
}

/** A whole file under a name that nobody reads. */
export interface Publishable {
  readonly path: string
  /** Removes that name. Never rejects. */
  discard(): Promise<void>
}

/** What is published together with a file, before it: its content is durable already. */
export interface Companion {
  /** Makes it visible as that of the file `name`; false where that is taken. */
  publish(name: string): Promise<boolean>
  /** Takes it back. Never rejects. */
  withdraw(name: string): Promise<void>
  /** Makes what {@link publish} and {@link withdraw} did durable. */
  sync(): Promise<void>
  /** Removes what it was written under. Never rejects. */
  discard(): Promise<void>
}

/**
 * Writes files into one folder so that a file is there whole or not at all, and, once {@link write} has
 * resolved, survives a power cut (docs/guarantees.md).
 */
export class DurableFolder {
  readonly layout: FolderLayout
  /** Whether files and the folder are synced. */
  readonly durable: boolean
  readonly #directory: DirectorySync
  readonly #makeShared: () => Promise<void>
  #making: Promise<void> | undefined

  /** With `durable` false neither files nor the folder are synced; everything else is the same. */
  constructor(layout: FolderLayout, durable: boolean) {
    this.layout = layout
    this.durable = durable
    this.#directory = new DirectorySync(layout.dir)
    this.#makeShared = coalesce(() => makeFolder(layout.temporaries, durable))
  }

  /** Whether {@link make} runs: the folder may be there, and not durable yet. */
  get isBeingMade(): boolean {
    return this.#making !== undefined
  }

  /** Makes the folder and its hidden subfolder where they are missing. */
  async make(): Promise<void> {
    const making = this.#makeShared()
    this.#making = making
    try {
      await making
    } finally {
      if (this.#making === making) this.#making = undefined
    }
  }

  /**
   * Writes one file. Resolves with its size when it is complete, durable, and visible under `choice.name`; with
   * undefined where `source.record` did not want it. Where it rejects, nothing is left behind, unless the disk refuses
   * the removal, too. A folder that has been removed meanwhile is made again, once.
   */
  async write(choice: NameChoice, source: WriteSource): Promise<number | undefined> {
    const write = () => this.#writeOnce(choice, source)
    return source.repeatable ? retryInFolder(() => this.make(), write) : write()
  }

  /**
   * Gives a file of this file system, whose content is durable, its final name; its own is discarded. Resolves
   * when the name, and that of its companion, are durable; where it rejects, neither is visible.
   */
  async publish(choice: NameChoice, file: Publishable, companion?: Companion): Promise<void> {
    await this.#giveName(choice, file, companion)
    await this.#settle(choice, file, companion)
  }

  /** A new temporary of this folder, for the caller to discard. A missing folder is made again, once. */
  async createTemporary(): Promise<TemporaryFile> {
    return retryInFolder(
      () => this.make(),
      () => TemporaryFile.create(temporaryPath(this.layout)),
    )
  }

  /** Whether the file `inode` is in the folder under `name`. */
  async has(name: string, inode: number): Promise<boolean> {
    const stats = await ifThere(lstat(join(this.layout.dir, name)), undefined)
    return stats?.ino === inode
  }

  /** Resolves when every name that was given before the call is durable. */
  async sync(): Promise<void> {
    if (this.durable) await this.#commit()
  }

  async #writeOnce(choice: NameChoice, source: WriteSource): Promise<number | undefined> {
    const { record } = source
    const file = await this.createTemporary()
    let companion: Companion | undefined
    try {
      await source.fill(file)
      if (record !== undefined && !(await record.shouldStore())) {
        await file.discard()
        return undefined
      }
      companion = await this.#finish(file, choice, source)
    } catch (error) {
      await file.discard()
      throw error
    }
    await this.#settle(choice, file, companion)
    await record?.committed()
    return file.size
  }

  /** Completes the file and its companion, and gives them their name. */
  async #finish(
    file: TemporaryFile,
    choice: NameChoice,
    { record, companion: make }: WriteSource,
  ): Promise<Companion | undefined> {
    const inode = record === undefined ? 0 : file.inode
    // Side by side, and all are waited for: a file must not be discarded while it is being synced.
    const [made, ...others] = await Promise.allSettled([
      make?.(file),
      record?.intent(choice.name, inode),
      file.finish(this.durable),
    ])
    if (made.status === 'rejected') throw made.reason
    const companion = made.value
    for (const result of others) {
      if (result.status === 'fulfilled') continue
      await companion?.discard()
      throw result.reason
    }
    await this.#giveName(choice, file, companion, async () => record?.intent(choice.name, inode))
    return companion
  }

  async #giveName(
    choice: NameChoice,
    file: Publishable,
    companion: Companion | undefined,
    beforeNext?: () => Promise<void>,
  ): Promise<void> {
    try {
      while (!(await this.#give(choice.name, file, companion))) {
        choice.next()
        await beforeNext?.()
      }
    } catch (error) {
      await companion?.discard()
      throw error
    }
  }

  /** The companion first: who sees the file sees both. */
  async #give(name: string, file: Publishable, companion: Companion | undefined): Promise<boolean> {
    if (companion !== undefined && !(await companion.publish(name))) return false
    try {
      if (await publish(this.layout, file.path, name)) return true
    } catch (error) {
      await companion?.withdraw(name)
      throw error
    }
    await companion?.withdraw(name)
    return false
  }

  /** Makes the name that was given durable, and discards those before it. */
  async #settle(choice: NameChoice, file: Publishable, companion: Companion | undefined): Promise<void> {
    const [synced] = await Promise.allSettled([
      this.durable ? this.#commit(companion) : undefined,
      file.discard(),
      companion?.discard(),
    ])
    if (synced.status === 'rejected') {
      await this.#takeBack(choice.name, companion)
      throw synced.reason
    }
  }

  /**
   * Removes what was published and could not be synced. The sync that failed may have reached the disk in
   * part, the new name included, so the removal is synced too, as far as that is possible.
   */
  async #takeBack(name: string, companion: Companion | undefined): Promise<void> {
    await removeFile(join(this.layout.dir, name)).catch(() => undefined)
    await companion?.withdraw(name)
    await this.#directory.sync().catch(() => undefined)
  }

  async #commit(companion?: Companion): Promise<void> {
    // A folder that another store is just making again is visible before it is durable itself.
    await this.#making
    await Promise.all([this.#directory.sync(), companion?.sync()])
  }
}
