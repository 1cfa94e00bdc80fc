import { lstat, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../bytes.ts'
import { DirectorySync, makeFolder } from '../../disk/directory-sync.ts'
import type { Companion } from '../../disk/durable-folder.ts'
import { ifThere } from '../../disk/if-exists.ts'
import { type FolderLayout, temporaryPath } from '../../disk/layout.ts'
import { publish } from '../../disk/publish.ts'
import { TemporaryFile } from '../../disk/temporary-file.ts'
import { systemCode } from '../../system-errors.ts'
import { RECORD_SUFFIX, recordPath, recordsLayout } from '../layout.ts'

/** Where a received file came from, as its record in `received/.records/` tells it. */
export interface FileRecord {
  /** The sender's address, as text; absent where it was not known. */
  readonly from?: string
  /** The name the sender gave. It need not be safe. */
  readonly originalName: string
  /** Bytes of the file. */
  readonly bytes: number
  /** Of the whole file, 64 hex digits. */
  readonly sha256: string
  /** The NAME of the frame's type. */
  readonly type: string
  /** RFC 3339. */
  readonly receivedAt: string
  readonly messageId?: string
  readonly replyTo?: string
}

/** What a record is looked up for: its name, and, of a file, what tells whether the record is its own. */
export type Recorded = { name: string; isFolder?: false; bytes: number; modified: number } | RecordedFolder

/** A folder that was unpacked. Its record is that of the archive; what is in it may have changed. */
export interface RecordedFolder {
  readonly name: string
  readonly isFolder: true
}

/** A record that is there and cannot be trusted. */
export interface DamagedRecord {
  /** What is wrong with it. */
  readonly damaged: string
}

/**
 * The records beside received files. A record is durable and published before its file is, so that no file of
 * this mailbox is ever seen without one; a record without a file is what a crash, or who removed the file, has
 * left, and is swept.
 */
export class FileRecords {
  readonly #received: FolderLayout
  readonly #layout: FolderLayout
  readonly #durable: boolean
  readonly #directory: DirectorySync
  #written = 0

  /** Of the folder of received files. */
  constructor(received: FolderLayout, durable: boolean) {
    this.#received = received
    this.#layout = recordsLayout(received)
    this.#durable = durable
    this.#directory = new DirectorySync(this.#layout.dir)
  }

  /** Makes the hidden subfolder where it is missing. */
  async make(): Promise<void> {
    await makeFolder(this.#layout.dir, this.#durable)
  }

  /**
   * Writes the record of a file that was last written at `modifiedMs`, for the file to be published with. Two
   * descriptors and one sync, which the file system shares with the sync of the file itself.
   */
  async write(record: FileRecord, modifiedMs: number): Promise<Companion> {
    const file = await TemporaryFile.create(temporaryPath(this.#layout))
    try {
      await file.write([utf8(JSON.stringify(toJson(record, modifiedMs)))])
      await file.finish(this.#durable)
    } catch (error) {
      await file.discard()
      throw error
    }
    if (++this.#written % SWEEP_EVERY === 0) void this.sweep().catch(() => undefined)
    return {
      publish: name => this.#publish(file, name),
      withdraw: name => unlink(recordPath(this.#received.dir, name)).catch(() => undefined),
      sync: () => this.#directory.sync(),
      discard: () => file.discard(),
    }
  }

  /**
   * Removes the records whose file is not there, and resolves with how many they were. A record keeps its
   * temporary name until its file is published: so one with a second name is of a file to come.
   */
  async sweep(): Promise<number> {
    const files = new Set(await readdir(this.#received.dir))
    let swept = 0
    for (const name of await readdir(this.#layout.dir)) {
      const file = name.slice(0, -RECORD_SUFFIX.length)
      if (!name.endsWith(RECORD_SUFFIX) || files.has(file)) continue
      const path = join(this.#layout.dir, name)
      const stats = await statOf(path)
      if (!stats?.isFile() || stats.nlink > 1) continue
      if ((await statOf(join(this.#received.dir, file))) !== undefined) continue
      await unlink(path).catch(() => undefined)
      swept++
    }
    return swept
  }

  async #publish(file: TemporaryFile, name: string): Promise<boolean> {
    const recordName = `${name}${RECORD_SUFFIX}`
    try {
      return await publish(this.#layout, file.path, recordName)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      // Somebody removed the subfolder.
      await this.make()
      return publish(this.#layout, file.path, recordName)
    }
  }
}

/** Files whose record may lie there without a file before they are looked for again. */
const SWEEP_EVERY = 1_000

/**
 * The record of `entry` of the received folder `dir`; undefined where it has none, as files of other
 * programs do. One that does not fit the file, by its size or the time it was written, is not the file's.
 */
export async function readRecord(
  dir: string,
  entry: Recorded,
): Promise<FileRecord | DamagedRecord | undefined> {
  let json: string
  try {
    json = await readFile(recordPath(dir, entry.name), 'utf8')
  } catch (error) {
    // ENAMETOOLONG: a file of another program, whose name leaves no room for a record's.
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) return undefined
    return { damaged: messageOf(error) }
  }
  try {
    const record = fromJson(JSON.parse(json))
    if ('damaged' in record) return record
    const { modifiedMs, ...rest } = record
    if (entry.isFolder) return rest
    const isSame = rest.bytes === entry.bytes && Math.abs(modifiedMs - entry.modified) <= TIME_STEP_MS
    return isSame ? rest : { damaged: 'the file has changed since it was received' }
  } catch (error) {
    return { damaged: messageOf(error) }
  }
}

/** Removes the record of the file `name`, where it has one. */
export async function removeRecord(dir: string, name: string): Promise<void> {
  try {
    await unlink(recordPath(dir, name))
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error
  }
}

/** How coarsely a file system may keep the time of a file (FAT: 2 s). */
const TIME_STEP_MS = 2_000

function toJson(record: FileRecord, modifiedMs: number): Record<string, unknown> {
  return {
    from: record.from,
    original_name: record.originalName,
    bytes: record.bytes,
    sha256: record.sha256,
    type: record.type,
    received_at: record.receivedAt,
    message_id: record.messageId,
    reply_to: record.replyTo,
    modified_ms: Math.trunc(modifiedMs),
  }
}

function fromJson(json: unknown): (FileRecord & { modifiedMs: number }) | DamagedRecord {
  if (typeof json !== 'object' || json === null) return { damaged: 'it is no JSON object' }
  const fields = json as Record<string, unknown>
  const { original_name: originalName, bytes, sha256, type, received_at: receivedAt } = fields
  const { from, message_id: messageId, reply_to: replyTo, modified_ms: modifiedMs } = fields
  if (
    typeof originalName !== 'string' ||
    typeof bytes !== 'number' ||
    typeof sha256 !== 'string' ||
    typeof type !== 'string' ||
    typeof receivedAt !== 'string' ||
    typeof modifiedMs !== 'number'
  ) {
    return { damaged: 'a field is missing' }
  }
  return {
    ...(typeof from === 'string' && { from }),
    originalName,
    bytes,
    sha256,
    type,
    receivedAt,
    ...(typeof messageId === 'string' && { messageId }),
    ...(typeof replyTo === 'string' && { replyTo }),
    modifiedMs,
  }
}

function statOf(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return ifThere(lstat(path), undefined)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
