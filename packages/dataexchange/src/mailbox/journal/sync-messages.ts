import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAllSync } from '../../disk/small-file.ts'
import { systemCode } from '../../errors.ts'
import { decodeSegment } from './journal-format.ts'

/** The system said that it could not write something. It may have given that up, and succeed at the next sync. */
export class SyncFailed extends Error {}

/**
 * Makes the content of the files `names` of `dir` durable, those that are still there.
 *
 * @throws {SyncFailed}
 * @throws the file system's error where one cannot be opened
 */
export async function syncMessages(
  dir: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (names.length > FEW && (await syncFileSystem(dir, signal))) return
  for (const name of names) {
    signal.throwIfAborted()
    const file = await openMessage(join(dir, name), constants.O_RDONLY)
    await file
      ?.datasync()
      .catch(failed)
      .finally(() => file.close())
  }
}

/**
 * Writes what the segment at `path` has of the files of `dir` into those of them that hold the very same already, and
 * makes it durable. Readers see no change; but the system has to write all of it once more.
 *
 * @throws {SyncFailed}
 * @throws the file system's error where one cannot be opened, read or written
 */
export async function writeMessages(dir: string, path: string, signal: AbortSignal): Promise<void> {
  for (const { name, content } of decodeSegment(await readFile(path)).entries) {
    signal.throwIfAborted()
    const file = await openMessage(join(dir, name), constants.O_RDWR)
    try {
      if (file !== undefined && (await holds(file, content))) {
        writeAllSync(file.fd, content, 0)
        await file.datasync().catch(failed)
      }
    } finally {
      await file?.close()
    }
  }
}

/** So many are synced one by one, more of them together with all else that their file system has to write. */
const FEW = 64

function failed(cause: unknown): never {
  throw new SyncFailed('a sync has failed', { cause })
}

/** Undefined where there is none any more, or something else. */
async function openMessage(path: string, access: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, access | PLAIN_FILE)
  } catch (error) {
    if (NOT_A_FILE.has(systemCode(error) ?? '')) return undefined
    throw error
  }
}

/** Whatever has come to stand under the name of a message must not be followed, nor waited for. */
const PLAIN_FILE = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
const NOT_A_FILE: ReadonlySet<string> = new Set(['ENOENT', 'ELOOP', 'EISDIR', 'ENXIO'])

async function holds(file: FileHandle, content: Uint8Array): Promise<boolean> {
  const stats = await file.stat()
  return stats.isFile() && stats.size === content.length && (await file.readFile()).equals(content)
}

/**
 * Whether the next `sync -f` of this process can be believed. The system tells of what it could not write once: to one
 * that fails, or is killed before it can say so. Another one that begins after that, for whatever folder, may end well
 * though files that it is asked for are lost. So there is one at a time, and none after one that did not end well.
 */
let isBelievable = true

/** Node has no syncfs(). False where it has not been done, or proves nothing. */
async function syncFileSystem(dir: string, signal: AbortSignal): Promise<boolean> {
  // Elsewhere it takes no such option, and may not wait for the disk.
  if (process.platform !== 'linux' || !isBelievable) return false
  isBelievable = false
  const child = spawn('sync', ['-f', dir], { stdio: 'ignore', signal })
  // Nor must it keep a process from ending.
  child.unref()
  const [status] = await once(child, 'exit').catch(() => [undefined])
  isBelievable = status === 0
  signal.throwIfAborted()
  return isBelievable
}
