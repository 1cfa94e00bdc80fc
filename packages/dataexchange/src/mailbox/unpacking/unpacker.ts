import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveError } from '../../archive/archive-error.ts'
import type { FolderManifest } from '../../archive/manifest.ts'
import type { DurableFolder } from '../../disk/durable-folder.ts'
import { checkDisk } from '../../disk/free-space.ts'
import { ifExists, removeFile } from '../../disk/if-exists.ts'
import { temporaryPath } from '../../disk/layout.ts'
import { measureTree, usageOf } from '../../disk/measure-tree.ts'
import { publishFolder } from '../../disk/publish.ts'
import type { Usage } from '../../disk/usage.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { reasonForPeer } from '../../system-errors.ts'
import { unpackedName } from '../names.ts'
import type { ReceivedQuota } from '../received/quota.ts'
import { type FileRecord, type FileRecords, readRecord, removeRecord } from '../received/records.ts'
import { ArchiveFile } from './archive-file.ts'
import { isFolderArchive, unpack } from './unpack.ts'
import { UnpackQueue } from './unpack-queue.ts'

/** Received folders that wait to be unpacked; those received later stay archives. @limit count */
const UNPACK_QUEUE = 1_000

/**
 * Attempts to unpack a received folder that ended with a crash of the service; then it stays an archive.
 * @limit count
 */
const UNPACK_TRIES = 3

/** The result of unpacking the archive of a folder. */
export interface UnpackOutcome {
  /** The record of the archive; empty if it has none. */
  readonly record: Partial<FileRecord>
  /** Size of the archive in bytes. */
  readonly size: number
  /** Path of the folder, or of the archive if that stays. */
  readonly path: string
  /** Content of the folder; undefined if the archive stays. */
  readonly folder: Pick<FolderManifest, 'files' | 'folders' | 'bytes'> | undefined
  /** Why the archive stays; undefined if it was unpacked. */
  readonly reason: string | undefined
}

/** How an {@link Unpacker} is set up. */
export interface UnpackerOptions {
  readonly quota: ReceivedQuota
  readonly records: FileRecords
  readonly logger: Logger
  readonly onOutcome: (outcome: UnpackOutcome) => void
}

/**
 * Unpacks the archives of folders among the received files, one at a time, after they have been stored. A folder appears
 * complete and durable, and only then its archive is removed. If anything is wrong with an archive, it stays. Work that
 * the end of the process interrupts continues at the next start.
 */
export class Unpacker {
  readonly #folder: DurableFolder
  readonly #options: UnpackerOptions
  readonly #queue: UnpackQueue
  readonly #stopping = new AbortController()
  #queued = 0
  #last: Promise<void> = Promise.resolve()

  constructor(folder: DurableFolder, options: UnpackerOptions) {
    this.#folder = folder
    this.#options = options
    this.#queue = new UnpackQueue(folder.layout.dir)
  }

  /** Queues the archives that earlier processes have not unpacked. */
  async load(): Promise<void> {
    for (const name of await this.#queue.names()) this.#enqueue(name)
  }

  /**
   * Queues the received file `name` if it is the archive of a folder, and resolves with whether it did. `onOutcome` gets
   * the result later. Never rejects.
   */
  async add(name: string): Promise<boolean> {
    if (unpackedName(name) === undefined || this.#stopping.signal.aborted) return false
    try {
      if (!(await this.#isFolder(name))) return false
      if (this.#queued >= UNPACK_QUEUE) throw archiveError('too many folders wait to be unpacked')
      await this.#queue.write(name, 0)
    } catch (err) {
      this.#options.logger.warn({ err, name }, 'a received folder stays packed')
      return false
    }
    this.#enqueue(name)
    return true
  }

  /** Stops after the current file. The next start continues. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#last
  }

  #enqueue(name: string): void {
    this.#queued++
    this.#last = this.#last
      .then(() => this.#process(name))
      .catch((err: unknown) => this.#options.logger.warn({ err, name }, 'cannot unpack a received folder'))
      .finally(() => this.#queued--)
  }

  async #isFolder(name: string): Promise<boolean> {
    return using(await ArchiveFile.open(this.#path(name)), isFolderArchive)
  }

  async #process(name: string): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return
    const { logger, onOutcome } = this.#options
    const archive = this.#path(name)
    const stats = await ifExists(lstat(archive), undefined)
    const attempts = await this.#queue.attempts(name)
    // The archive was removed, or another process has unpacked it.
    if (stats === undefined || attempts === undefined) return this.#queue.remove(name)
    const found = await readRecord(this.#folder.layout.dir, {
      name,
      size: stats.size,
      modifiedAt: stats.mtimeMs,
    })
    const record = found === undefined || 'damaged' in found ? undefined : found
    const common = { record: record ?? {}, size: stats.size }
    try {
      if (attempts >= UNPACK_TRIES) throw archiveError('the service ended each time it was unpacked')
      await this.#queue.write(name, attempts + 1)
      const manifest = await this.#unpack(name, record)
      const path = this.#path(unpackedName(name) ?? '')
      logger.info({ path, files: manifest.files, bytes: manifest.bytes }, 'a folder was received')
      onOutcome({ ...common, path, folder: manifest, reason: undefined })
    } catch (err) {
      // An attempt that a stop has interrupted does not count.
      if (signal.aborted) return this.#queue.write(name, attempts)
      const reason = reasonOf(err)
      logger.warn({ err, path: archive, reason }, 'a received folder stays packed')
      onOutcome({ ...common, path: archive, folder: undefined, reason })
    }
    await this.#queue.remove(name)
  }

  /** Publishes the folder, then removes its archive. */
  async #unpack(name: string, record: FileRecord | undefined): Promise<FolderManifest> {
    const { layout, durable } = this.#folder
    const { quota } = this.#options
    const target = unpackedName(name) ?? ''
    const temporary = temporaryPath(layout)
    const claim = quota.index.reserveName(() => target)
    let reserved: Usage = { files: 0, bytes: 0 }
    const prepare = async (manifest: FolderManifest) => {
      const count = usageOf(manifest)
      await quota.reserve(count)
      reserved = count
      await checkDisk(layout.dir, manifest.bytes)
    }
    try {
      const { signal } = this.#stopping
      const manifest = await using(await ArchiveFile.open(this.#path(name)), archive =>
        unpack(archive, temporary, { durable, prepare, signal }),
      )
      await this.#publish(temporary, target, manifest, record)
      quota.index.add(target, manifest.bytes, usageOf(manifest).files)
      await removeFile(this.#path(name))
      quota.index.remove(name)
      await removeRecord(layout.dir, name)
      return manifest
    } finally {
      quota.release(reserved)
      claim.release()
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
    }
  }

  async #publish(
    temporary: string,
    name: string,
    manifest: FolderManifest,
    record: FileRecord | undefined,
  ): Promise<void> {
    const { layout, durable } = this.#folder
    const sidecar = record && (await this.#options.records.write(record, 0))
    try {
      const isRecorded = await sidecar?.publish(name)
      if (durable) await sidecar?.sync()
      if (!(await publishFolder(layout, temporary, name)) && !(await this.#isSame(name, manifest))) {
        if (isRecorded) await sidecar?.withdraw(name)
        throw archiveError(`another ${JSON.stringify(name)} is among the received files`)
      }
    } finally {
      await sidecar?.discard()
    }
    await this.#folder.sync()
  }

  /** Whether the folder `name` was unpacked by an earlier process that ended before it removed the archive. */
  async #isSame(name: string, { files, folders, bytes }: FolderManifest): Promise<boolean> {
    const found = await measureTree(this.#path(name))
    return found.files === files && found.folders === folders && found.bytes === bytes
  }

  #path(name: string): string {
    return join(this.#folder.layout.dir, name)
  }
}

async function using<T>(archive: ArchiveFile, use: (archive: ArchiveFile) => Promise<T>): Promise<T> {
  try {
    return await use(archive)
  } finally {
    await archive.close()
  }
}

/** The full reason if the archive is invalid; otherwise the reason that peers get, without paths. */
function reasonOf(error: unknown): string {
  const isInvalid = error instanceof MailboxError && error.code === 'ARCHIVE_INVALID'
  return isInvalid ? error.message : reasonForPeer(error)
}
