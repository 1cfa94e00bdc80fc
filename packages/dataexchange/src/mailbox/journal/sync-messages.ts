import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAllSync } from '../../disk/write-all.ts'
import { systemCode } from '../../system-errors.ts'
import { decodeSegment } from './journal-format.ts'

/** A sync has failed. The kernel may have dropped the dirty pages, so that the next one succeeds without them. */
export class SyncFailed extends Error {}

/**
 * Syncs the content of those files `names` of `dir` that still exist.
 *
 * @throws {SyncFailed}
 * @throws the file system's error if a file cannot be opened
 */
export async function syncMessages(
  dir: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (names.length > MAX_SINGLE_SYNCS && (await syncFileSystem(dir, signal))) return
  for (const name of names) {
    signal.throwIfAborted()
    const file = await openMessage(join(dir, name), constants.O_RDONLY)
    await file
      ?.datasync()
      .catch(throwSyncFailed)
      .finally(() => file.close())
  }
}

/**
 * Writes the content of the segment at `path` once more into those files of `dir` that have this very content, and
 * syncs them. Readers see no change, but the pages are dirty again, so that the sync writes all of them.
 *
 * @throws {SyncFailed}
 * @throws the file system's error if a file cannot be opened, read or written
 */
export async function writeMessages(dir: string, path: string, signal: AbortSignal): Promise<void> {
  for (const { name, content } of decodeSegment(await readFile(path)).entries) {
    signal.throwIfAborted()
    const file = await openMessage(join(dir, name), constants.O_RDWR)
    try {
      if (file !== undefined && (await holds(file, content))) {
        writeAllSync(file.fd, content, 0)
        await file.datasync().catch(throwSyncFailed)
      }
    } finally {
      await file?.close()
    }
  }
}

/** Above this number all dirty data of the file system is synced instead of single files. */
const MAX_SINGLE_SYNCS = 64

function throwSyncFailed(cause: unknown): never {
  throw new SyncFailed('a sync has failed', { cause })
}

/** Opens a file, or resolves with undefined if it is gone or is not a file. */
async function openMessage(path: string, access: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, access | PLAIN_FILE)
  } catch (error) {
    if (NOT_A_FILE.has(systemCode(error) ?? '')) return undefined
    throw error
  }
}

/** A link under the name must not be followed, and opening a pipe must not block. */
const PLAIN_FILE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const NOT_A_FILE: ReadonlySet<string> = new Set(['ENOENT', 'ELOOP', 'EISDIR', 'ENXIO'])

async function holds(file: FileHandle, content: Uint8Array): Promise<boolean> {
  const stats = await file.stat()
  return stats.isFile() && stats.size === content.length && (await file.readFile()).equals(content)
}

/**
 * Whether a successful `sync -f` proves anything. The kernel reports a write error once, to the sync that fails or is
 * killed before it can report it. A later one, for any folder, may then succeed although data is lost. So one runs at a
 * time, and none after one that did not succeed.
 */
let isTrustworthy = true

/** Runs `sync -f`, since Node has no syncfs(). False if it was not run or proves nothing. */
async function syncFileSystem(dir: string, signal: AbortSignal): Promise<boolean> {
  // Other systems do not have this option, and may not wait for the disk.
  if (process.platform !== 'linux' || !isTrustworthy) return false
  isTrustworthy = false
  const child = spawn('sync', ['-f', dir], { stdio: 'ignore', signal })
  // It must not keep the process alive.
  child.unref()
  const [status] = await once(child, 'exit').catch(() => [undefined])
  isTrustworthy = status === 0
  signal.throwIfAborted()
  return isTrustworthy
}
