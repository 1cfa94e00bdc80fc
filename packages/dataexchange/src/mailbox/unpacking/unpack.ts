import { chmod, type FileHandle, mkdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveError } from '../../archive/archive-error.ts'
import { EntryChecker } from '../../archive/entry-checker.ts'
import {
  decodeManifest,
  type FolderManifest,
  LONGEST_MANIFEST,
  MANIFEST_PATH,
} from '../../archive/manifest.ts'
import { type FoundEntry, readTar } from '../../archive/read-tar.ts'
import { openFile } from '../../disk/descriptors.ts'
import { syncDirectory } from '../../disk/directory-sync.ts'
import { FILE_MODE, FOLDER_MODE } from '../../disk/layout.ts'
import { writeAll } from '../../disk/write-all.ts'
import type { ArchiveFile } from './archive-file.ts'

/** How {@link unpack} works. */
export interface UnpackOptions {
  /** Whether files and folders are synced. */
  readonly durable: boolean
  /** Called with the manifest before anything is written. If it rejects, nothing is unpacked. */
  readonly prepare: (manifest: FolderManifest) => Promise<void>
  /** Stops unpacking. */
  readonly signal: AbortSignal
}

/** Whether `archive` begins like the archive of a folder; the rest may still be invalid. */
export async function isFolderArchive(archive: ArchiveFile): Promise<boolean> {
  try {
    for await (const { path } of readTar(archive)) return path === MANIFEST_PATH
  } catch {
    // It is not a tar archive.
  }
  return false
}

/**
 * Unpacks the archive of a folder into `into`, a new folder that readers must not see yet. Every entry is checked before
 * it is written. Resolves when everything is written and, with `durable`, synced. If it rejects, the caller removes
 * `into`.
 *
 * @throws {MailboxError} ARCHIVE_INVALID
 * @throws errors of `prepare` and of the file system, and the reason of `signal`
 */
export async function unpack(
  archive: ArchiveFile,
  into: string,
  options: UnpackOptions,
): Promise<FolderManifest> {
  const { durable, prepare, signal } = options
  const entries = readTar(archive)
  const { value: first } = await entries.next()
  const manifest = first && (await manifestIn(archive, first))
  if (manifest === undefined) throw archiveError('it has no manifest')
  const checker = new EntryChecker(manifest)
  await prepare(manifest)
  await mkdir(into, { mode: FOLDER_MODE })

  const folders: [path: string, entry: FoundEntry][] = []
  const writes = new Writes()
  try {
    for await (const entry of entries) {
      signal.throwIfAborted()
      const path = join(into, checker.accept(entry))
      if (entry.kind === 'folder') {
        // `into` is the root, which exists already.
        if (folders.length > 0) await mkdir(path, { mode: FOLDER_MODE })
        folders.push([path, entry])
      } else if (entry.size <= SMALL_FILE) {
        const content = Buffer.allocUnsafeSlow(entry.size)
        await archive.read(content, entry.dataAt)
        await writes.add(() => writeFile(path, entry, durable, async handle => append(handle, content)))
      } else {
        await writeFile(path, entry, durable, handle => copy(archive, entry, handle, signal))
      }
    }
    checker.finish()
  } finally {
    await writes.settled()
  }
  writes.check()
  // Innermost first, since a change in a folder changes its time.
  for (const [path, { mode, mtime }] of folders.reverse()) {
    signal.throwIfAborted()
    // The owner must be able to remove its content.
    await chmod(path, mode | FOLDER_MODE)
    // The root keeps the time at which it was received, as received files do.
    if (path !== join(into, '')) await utimes(path, mtime, mtime)
    if (durable) await syncDirectory(path)
  }
  return manifest
}

/** Files up to this size are read into memory and written concurrently, since each waits for a sync of its own. */
const SMALL_FILE = 64 * 1024
const WRITES_AT_ONCE = 16
const PIECE = 256 * 1024

async function manifestIn(archive: ArchiveFile, entry: FoundEntry): Promise<FolderManifest | undefined> {
  if (entry.path !== MANIFEST_PATH || entry.kind !== 'file') return undefined
  if (entry.size > LONGEST_MANIFEST) throw archiveError('its manifest is too long')
  const content = new Uint8Array(entry.size)
  await archive.read(content, entry.dataAt)
  return decodeManifest(content)
}

async function writeFile(
  path: string,
  { mode, mtime }: FoundEntry,
  durable: boolean,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await openFile(path, 'wx', FILE_MODE)
  try {
    await fill(handle)
    await handle.chmod(mode)
    await handle.utimes(mtime, mtime)
    if (durable) await handle.sync()
  } finally {
    await handle.close()
  }
}

function append(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  return writeAll([bytes], async rest => (await handle.writev(rest)).bytesWritten)
}

async function copy(
  archive: ArchiveFile,
  { size, dataAt }: FoundEntry,
  handle: FileHandle,
  signal: AbortSignal,
): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(PIECE)
  for (let at = 0; at < size; at += PIECE) {
    signal.throwIfAborted()
    const piece = buffer.subarray(0, size - at)
    await archive.read(piece, dataAt + at)
    await append(handle, piece)
  }
}

/** Writes that run concurrently. */
class Writes {
  readonly #running = new Set<Promise<void>>()
  #error: { reason: unknown } | undefined

  /** Starts `write` when fewer than the maximum are running. Throws the error of an earlier write. */
  async add(write: () => Promise<void>): Promise<void> {
    while (this.#running.size >= WRITES_AT_ONCE) await Promise.race(this.#running)
    this.check()
    const running = write()
      .catch((reason: unknown) => {
        this.#error ??= { reason }
      })
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Resolves when all writes have ended. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** Throws the error of the first write that failed. */
  check(): void {
    if (this.#error !== undefined) throw this.#error.reason
  }
}
