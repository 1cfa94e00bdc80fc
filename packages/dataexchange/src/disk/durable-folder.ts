import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../async/coalesce.ts'
import { DirectorySync, makeFolder } from './directory-sync.ts'
import { ifExists, removeFile, retryInFolder } from './if-exists.ts'
import { type FolderLayout, temporaryPath } from './layout.ts'
import { publish } from './publish.ts'
import { TemporaryFile } from './temporary-file.ts'

/** A name for a new file. */
export interface NameChoice {
  readonly name: string
  /** Changes {@link name}, because the current one is taken. */
  next(): void
}

/** How a file is written. */
export interface WriteSource {
  /** Writes the content to the temporary file. */
  fill(file: TemporaryFile): Promise<void>
  /** Whether {@link fill} can be called again with a new temporary file. */
  readonly repeatable: boolean
  /** Decides about the publishing, and is informed of it. @default none */
  readonly record?: PublishRecord | undefined
  /** Writes the file to be published together with this one, whose content is complete. @default none */
  sidecar?(file: TemporaryFile): Promise<Sidecar>
}

/** The record of a file that is being published. */
export interface PublishRecord {
  /** Called when the content is complete. If it resolves with false, nothing is published. */
  shouldStore(): Promise<boolean>
  /**
   * Called before the file `inode` gets the name `name`. The file gets its name once this resolves; if it rejects, the
   * write fails.
   */
  intent(name: string, inode: number): Promise<void>
  /** Called when the name is durable. Never rejects. */
  committed(): Promise<void>
}

/** A complete file under a hidden name. */
export interface Publishable {
  readonly path: string
  /** Removes the hidden name. Never rejects. */
  discard(): Promise<void>
}

/** A file that is published together with another one, and before it. Its content is already durable. */
export interface Sidecar {
  /** Publishes it for the file `name`; false if the name is taken. */
  publish(name: string): Promise<boolean>
  /** Reverts {@link publish}. Never rejects. */
  withdraw(name: string): Promise<void>
  /** Makes {@link publish} and {@link withdraw} durable. */
  sync(): Promise<void>
  /** Removes its hidden name. Never rejects. */
  discard(): Promise<void>
}

/**
 * Writes files to one folder atomically: a file is either complete or not visible. Once {@link write} has resolved, the
 * file survives a power cut (docs/guarantees.md).
 */
export class DurableFolder {
  readonly layout: FolderLayout
  /** Whether files and the folder are synced. */
  readonly durable: boolean
  readonly #directory: DirectorySync
  readonly #makeShared: () => Promise<void>
  #making: Promise<void> | undefined

  /** If `durable` is false, neither files nor the folder are synced. */
  constructor(layout: FolderLayout, durable: boolean) {
    this.layout = layout
    this.durable = durable
    this.#directory = new DirectorySync(layout.dir)
    this.#makeShared = coalesce(() => makeFolder(layout.temporaries, durable))
  }

  /** Whether {@link make} is running: the folder may exist and not be durable yet. */
  get isBeingMade(): boolean {
    return this.#making !== undefined
  }

  /** Creates the folder and its hidden subfolder if they are missing. */
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
   * Writes one file. Resolves with its size when it is complete, durable and visible under `choice.name`, or with
   * undefined if `source.record` declined it. If it rejects, no file is left, unless the disk also refuses the removal.
   * A removed folder is created again, once.
   */
  async write(choice: NameChoice, source: WriteSource): Promise<number | undefined> {
    const write = () => this.#writeOnce(choice, source)
    return source.repeatable ? retryInFolder(() => this.make(), write) : write()
  }

  /**
   * Gives a file with durable content on this file system its final name; its hidden name is removed. Resolves when its
   * name and that of its sidecar are durable. If it rejects, neither is visible.
   */
  async publish(choice: NameChoice, file: Publishable, sidecar?: Sidecar): Promise<void> {
    await this.#giveName(choice, file, sidecar)
    await this.#settle(choice, file, sidecar)
  }

  /** Creates a temporary file, which the caller must discard. A missing folder is created, once. */
  async createTemporary(): Promise<TemporaryFile> {
    return retryInFolder(
      () => this.make(),
      () => TemporaryFile.create(temporaryPath(this.layout)),
    )
  }

  /** Whether the folder contains the file `inode` under `name`. */
  async has(name: string, inode: number): Promise<boolean> {
    const stats = await ifExists(lstat(join(this.layout.dir, name)), undefined)
    return stats?.ino === inode
  }

  /** Resolves when all names given before the call are durable. */
  async sync(): Promise<void> {
    if (this.durable) await this.#commit()
  }

  async #writeOnce(choice: NameChoice, source: WriteSource): Promise<number | undefined> {
    const { record } = source
    const file = await this.createTemporary()
    let sidecar: Sidecar | undefined
    try {
      await source.fill(file)
      if (record !== undefined && !(await record.shouldStore())) {
        await file.discard()
        return undefined
      }
      sidecar = await this.#finish(file, choice, source)
    } catch (error) {
      await file.discard()
      throw error
    }
    await this.#settle(choice, file, sidecar)
    await record?.committed()
    return file.size
  }

  /** Completes the file and its sidecar, and gives them their names. */
  async #finish(
    file: TemporaryFile,
    choice: NameChoice,
    { record, sidecar: make }: WriteSource,
  ): Promise<Sidecar | undefined> {
    const inode = record === undefined ? 0 : file.inode
    // Concurrent, and all are awaited: a file must not be discarded during its sync.
    const [made, ...others] = await Promise.allSettled([
      make?.(file),
      record?.intent(choice.name, inode),
      file.finish(this.durable),
    ])
    if (made.status === 'rejected') throw made.reason
    const sidecar = made.value
    for (const result of others) {
      if (result.status === 'fulfilled') continue
      await sidecar?.discard()
      throw result.reason
    }
    await this.#giveName(choice, file, sidecar, async () => record?.intent(choice.name, inode))
    return sidecar
  }

  async #giveName(
    choice: NameChoice,
    file: Publishable,
    sidecar: Sidecar | undefined,
    beforeNext?: () => Promise<void>,
  ): Promise<void> {
    try {
      while (!(await this.#give(choice.name, file, sidecar))) {
        choice.next()
        await beforeNext?.()
      }
    } catch (error) {
      await sidecar?.discard()
      throw error
    }
  }

  /** Publishes the sidecar first, so that a visible file always has its sidecar. */
  async #give(name: string, file: Publishable, sidecar: Sidecar | undefined): Promise<boolean> {
    if (sidecar !== undefined && !(await sidecar.publish(name))) return false
    try {
      if (await publish(this.layout, file.path, name)) return true
    } catch (error) {
      await sidecar?.withdraw(name)
      throw error
    }
    await sidecar?.withdraw(name)
    return false
  }

  /** Makes the final name durable, and removes the hidden names. */
  async #settle(choice: NameChoice, file: Publishable, sidecar: Sidecar | undefined): Promise<void> {
    const [synced] = await Promise.allSettled([
      this.durable ? this.#commit(sidecar) : undefined,
      file.discard(),
      sidecar?.discard(),
    ])
    if (synced.status === 'rejected') {
      await this.#takeBack(choice.name, sidecar)
      throw synced.reason
    }
  }

  /**
   * Removes a published file that could not be synced. The failed sync may have written the new name to the disk, so
   * the removal is synced, too, as far as possible.
   */
  async #takeBack(name: string, sidecar: Sidecar | undefined): Promise<void> {
    await removeFile(join(this.layout.dir, name)).catch(() => undefined)
    await sidecar?.withdraw(name)
    await this.#directory.sync().catch(() => undefined)
  }

  async #commit(sidecar?: Sidecar): Promise<void> {
    // A folder that another store is creating again is visible before it is durable.
    await this.#making
    await Promise.all([this.#directory.sync(), sidecar?.sync()])
  }
}
