import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveError } from '../../archive/archive-error.ts'
import type { FolderManifest } from '../../archive/manifest.ts'
import type { DurableFolder } from '../../disk/durable-folder.ts'
import { checkDisk } from '../../disk/free-space.ts'
import { ifThere, removeFile } from '../../disk/if-exists.ts'
import { temporaryPath } from '../../disk/layout.ts'
import { countOf, measureTree } from '../../disk/measure-tree.ts'
import { publishFolder } from '../../disk/publish.ts'
import type { Count } from '../../disk/usage.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { reasonForPeer } from '../../system-errors.ts'
import { unpackedName } from '../names.ts'
import type { ReceivedRoom } from '../received/quota.ts'
import { type FileRecord, type FileRecords, readRecord, removeRecord } from '../received/records.ts'
import { ArchiveFile } from './archive-file.ts'
import { UnpackingNotes } from './notes.ts'
import { isFolderArchive, unpack } from './unpack.ts'

/** Received folders that wait to be unpacked; those received later stay archives. @limit count */
const UNPACK_QUEUE = 1_000

/**
 * Attempts to unpack a received folder that ended with a crash of the service; then it stays an archive.
 * @limit count
 */
const UNPACK_TRIES = 3

/** What came of a folder’s archive. */
export interface UnpackOutcome {
  /** What it came with, as far as it is known. */
  readonly record: Partial<FileRecord>
  /** Bytes of the archive. */
  readonly size: number
  /** Of the folder, or of the archive where that stays. */
  readonly path: string
  /** What the folder holds; undefined where the archive stays. */
  readonly folder: Pick<FolderManifest, 'files' | 'folders' | 'bytes'> | undefined
  /** Why the archive stays. */
  readonly reason: string | undefined
}

/** How an {@link Unpacker} is set up. */
export interface UnpackerOptions {
  readonly room: ReceivedRoom
  readonly records: FileRecords
  readonly logger: Logger
  readonly onOutcome: (outcome: UnpackOutcome) => void
}

/**
 * Unpacks the archives of folders among the received files, one after the other, once they have been stored. A
 * folder appears at once and whole, and durable, before its archive goes; where anything is wrong with it the
 * archive stays as it is. What an end of this process has cut off is done at the next start.
 */
export class Unpacker {
  readonly #folder: DurableFolder
  readonly #options: UnpackerOptions
  readonly #notes: UnpackingNotes
  readonly #stopping = new AbortController()
  #waiting = 0
  #last: Promise<void> = Promise.resolve()

  constructor(folder: DurableFolder, options: UnpackerOptions) {
    this.#folder = folder
    this.#options = options
    this.#notes = new UnpackingNotes(folder.layout.dir)
  }

  /** Goes on with what earlier processes have left. */
  async load(): Promise<void> {
    for (const name of await this.#notes.names()) this.#add(name)
  }

  /**
   * Takes the received file `name` where it is a folder’s archive: true where it is to be unpacked, the outcome of
   * which is told. Never rejects.
   */
  async take(name: string): Promise<boolean> {
    if (unpackedName(name) === undefined || this.#stopping.signal.aborted) return false
    try {
      if (!(await this.#isFolder(name))) return false
      if (this.#waiting >= UNPACK_QUEUE) throw archiveError('too many folders wait to be unpacked')
      await this.#notes.write(name, 0)
    } catch (err) {
      this.#options.logger.warn({ err, name }, 'a folder that was received stays an archive')
      return false
    }
    this.#add(name)
    return true
  }

  /** Stops; what is not done is gone on with at the next start. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#last
  }

  #add(name: string): void {
    this.#waiting++
    this.#last = this.#last
      .then(() => this.#run(name))
      .catch((err: unknown) => this.#options.logger.warn({ err, name }, 'a folder could not be unpacked'))
      .finally(() => this.#waiting--)
  }

  async #isFolder(name: string): Promise<boolean> {
    return using(await ArchiveFile.open(this.#path(name)), isFolderArchive)
  }

  async #run(name: string): Promise<void> {
    const { signal } = this.#stopping
    if (signal.aborted) return
    const { logger, onOutcome } = this.#options
    const archive = this.#path(name)
    const stats = await ifThere(lstat(archive), undefined)
    const begun = await this.#notes.begun(name)
    // Somebody has removed it, or another service has unpacked it.
    if (stats === undefined || begun === undefined) return this.#notes.remove(name)
    const found = await readRecord(this.#folder.layout.dir, {
      name,
      bytes: stats.size,
      modified: stats.mtimeMs,
    })
    const record = found === undefined || 'damaged' in found ? undefined : found
    const told = { record: record ?? {}, size: stats.size }
    try {
      if (begun >= UNPACK_TRIES) throw archiveError('the service ended each time it was unpacked')
      await this.#notes.write(name, begun + 1)
      const manifest = await this.#unpack(name, record)
      const path = this.#path(unpackedName(name) ?? '')
      logger.info({ path, files: manifest.files, bytes: manifest.bytes }, 'a folder was received')
      onOutcome({ ...told, path, folder: manifest, reason: undefined })
    } catch (err) {
      // It is not the archive’s fault.
      if (signal.aborted) return this.#notes.write(name, begun)
      const reason = reasonOf(err)
      logger.warn({ err, path: archive, reason }, 'a folder that was received stays an archive')
      onOutcome({ ...told, path: archive, folder: undefined, reason })
    }
    await this.#notes.remove(name)
  }

  /** The folder becomes visible, and then its archive goes. */
  async #unpack(name: string, record: FileRecord | undefined): Promise<FolderManifest> {
    const { layout, durable } = this.#folder
    const { room } = this.#options
    const target = unpackedName(name) ?? ''
    const temporary = temporaryPath(layout)
    const claim = room.index.claim(() => target)
    let reserved: Count = { files: 0, bytes: 0 }
    const prepare = async (manifest: FolderManifest) => {
      const count = countOf(manifest)
      await room.reserve(count)
      reserved = count
      await checkDisk(layout.dir, manifest.bytes)
    }
    try {
      const { signal } = this.#stopping
      const manifest = await using(await ArchiveFile.open(this.#path(name)), archive =>
        unpack(archive, temporary, { durable, prepare, signal }),
      )
      await this.#publish(temporary, target, manifest, record)
      room.index.add(target, manifest.bytes, countOf(manifest).files)
      await removeFile(this.#path(name))
      room.index.remove(name)
      await removeRecord(layout.dir, name)
      return manifest
    } finally {
      room.release(reserved)
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
    const companion = record && (await this.#options.records.write(record, 0))
    try {
      const isRecorded = await companion?.publish(name)
      if (durable) await companion?.sync()
      if (!(await publishFolder(layout, temporary, name)) && !(await this.#isSame(name, manifest))) {
        if (isRecorded) await companion?.withdraw(name)
        throw archiveError(`there is another ${JSON.stringify(name)} among the received files`)
      }
    } finally {
      await companion?.discard()
    }
    await this.#folder.sync()
  }

  /** Whether the folder `name` is the same one, of an earlier process that did not live to remove the archive. */
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

/** What is wrong with an archive is told as it is; the rest as peers are told. */
function reasonOf(error: unknown): string {
  const isInvalid = error instanceof MailboxError && error.code === 'ARCHIVE_INVALID'
  return isInvalid ? error.message : reasonForPeer(error)
}
