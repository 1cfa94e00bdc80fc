import { lstat, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../bytes.ts'
import { DirectorySync, makeFolder } from '../../disk/directory-sync.ts'
import type { Sidecar } from '../../disk/durable-folder.ts'
import { ifExists, retryInFolder } from '../../disk/if-exists.ts'
import { type FolderLayout, temporaryPath } from '../../disk/layout.ts'
import { publish } from '../../disk/publish.ts'
import { TemporaryFile } from '../../disk/temporary-file.ts'
import { systemCode } from '../../system-errors.ts'
import { RECORD_SUFFIX, recordPath, recordsLayout } from '../layout.ts'

/**
 * The record of a received file: where it came from. It is a sidecar, a JSON file in `received/.records/`, so the received
 * file itself stays byte for byte what was sent.
 */
export interface FileRecord {
  /** The sender's address as text; absent if it was not known. */
  readonly from?: string
  /** The name that the sender gave; it may be unsafe for a disk or a terminal. */
  readonly originalName: string
  /** Size of the file in bytes. */
  readonly size: number
  /** SHA-256 of the whole file, 64 hex digits. */
  readonly sha256: string
  /** Name of the type of the frame that carried the file. */
  readonly type: string
  /** Time of arrival, RFC 3339. */
  readonly receivedAt: string
  /** The sender's id of the file. */
  readonly messageId?: string
  /** The id of the message that this file answers. */
  readonly replyTo?: string
}

/** A file or folder to look up the record of. Size and time tell whether the record belongs to the file. */
export type Recorded = { name: string; isFolder?: false; size: number; modifiedAt: number } | RecordedFolder

/** An unpacked folder. It has the record of its archive; its content may have changed since. */
export interface RecordedFolder {
  readonly name: string
  readonly isFolder: true
}

/** A record that cannot be used. */
export interface DamagedRecord {
  /** The reason, for people. */
  readonly damaged: string
}

/**
 * The records of a received folder. A record is durable and visible before its file, so no file of this mailbox is seen
 * without one. A record without a file is left by a crash, or by a program that removed the file; it is swept.
 */
export class FileRecords {
  readonly #received: FolderLayout
  readonly #layout: FolderLayout
  readonly #durable: boolean
  readonly #directory: DirectorySync
  #written = 0

  /** `received` is the folder of the files. Without `durable` nothing is synced. */
  constructor(received: FolderLayout, durable: boolean) {
    this.#received = received
    this.#layout = recordsLayout(received)
    this.#durable = durable
    this.#directory = new DirectorySync(this.#layout.dir)
  }

  /** Creates the hidden subfolder if it is missing. */
  async make(): Promise<void> {
    await makeFolder(this.#layout.dir, this.#durable)
  }

  /**
   * Writes the record of a file whose last write was at `modifiedMs`. The record is then published with the file. Its
   * sync runs beside the sync of the file, so that the file system can combine them.
   */
  async write(record: FileRecord, modifiedMs: number): Promise<Sidecar> {
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
   * Removes records without a file, and resolves with their number. A record keeps its temporary name until its file is
   * published, so a record with two names belongs to a file that is not visible yet.
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

  #publish(file: TemporaryFile, name: string): Promise<boolean> {
    const recordName = `${name}${RECORD_SUFFIX}`
    return retryInFolder(
      () => this.make(),
      () => publish(this.#layout, file.path, recordName),
    )
  }
}

/** Records written between two sweeps. */
const SWEEP_EVERY = 1_000

/**
 * Reads the record of `entry` in the received folder `dir`. Undefined if it has none, as files of other programs do. A
 * record with another size or time belongs to an earlier file of the same name, and is returned as damaged.
 */
export async function readRecord(
  dir: string,
  entry: Recorded,
): Promise<FileRecord | DamagedRecord | undefined> {
  let json: string
  try {
    json = await readFile(recordPath(dir, entry.name), 'utf8')
  } catch (error) {
    // ENAMETOOLONG: another program's file, whose name is too long for a record.
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) return undefined
    return { damaged: messageOf(error) }
  }
  try {
    const record = fromJson(JSON.parse(json))
    if ('damaged' in record) return record
    const { modifiedMs, ...rest } = record
    if (entry.isFolder) return rest
    const isSame = rest.size === entry.size && Math.abs(modifiedMs - entry.modifiedAt) <= TIME_STEP_MS
    return isSame ? rest : { damaged: 'the file has changed since it was received' }
  } catch (error) {
    return { damaged: messageOf(error) }
  }
}

/** Removes the record of the file `name`, if it has one. */
export async function removeRecord(dir: string, name: string): Promise<void> {
  try {
    await unlink(recordPath(dir, name))
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(systemCode(error) ?? '')) throw error
  }
}

/** Resolution of file times on the coarsest file system, FAT. */
const TIME_STEP_MS = 2_000

function toJson(record: FileRecord, modifiedMs: number): Record<string, unknown> {
  return {
    from: record.from,
    original_name: record.originalName,
    bytes: record.size,
    sha256: record.sha256,
    type: record.type,
    received_at: record.receivedAt,
    message_id: record.messageId,
    reply_to: record.replyTo,
    modified_ms: Math.trunc(modifiedMs),
  }
}

function fromJson(json: unknown): (FileRecord & { modifiedMs: number }) | DamagedRecord {
  if (typeof json !== 'object' || json === null) return { damaged: 'it is not a JSON object' }
  const fields = json as Record<string, unknown>
  const { original_name: originalName, bytes: size, sha256, type, received_at: receivedAt } = fields
  const { from, message_id: messageId, reply_to: replyTo, modified_ms: modifiedMs } = fields
  if (
    typeof originalName !== 'string' ||
    typeof size !== 'number' ||
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
    size,
    sha256,
    type,
    receivedAt,
    ...(typeof messageId === 'string' && { messageId }),
    ...(typeof replyTo === 'string' && { replyTo }),
    modifiedMs,
  }
}

function statOf(path: string): Promise<Awaited<ReturnType<typeof lstat>> | undefined> {
  return ifExists(lstat(path), undefined)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
