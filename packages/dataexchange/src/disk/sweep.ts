import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../system-errors.ts'
import { ifExists, removeFile } from './if-exists.ts'
import { type FolderLayout, temporaryOwner } from './layout.ts'

/**
 * Deletes temporary files of dead processes in the hidden subfolder and returns their number. A file is also deleted if
 * it was not changed for an hour, since the id of a dead process may be in use again. Files that this or another live
 * process writes are kept. If a process of another machine or container is mistaken for dead, its store fails or is
 * repeated; stored files are never lost.
 */
export async function sweepTemporaries(layout: FolderLayout): Promise<number> {
  let swept = 0
  for (const name of await readdir(layout.temporaries)) {
    const path = join(layout.temporaries, name)
    if ((await isAbandoned(path, name)) && (await remove(path))) swept++
  }
  return swept
}

const ABANDONED_AFTER_MS = 3_600_000

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const owner = temporaryOwner(name)
  if (owner?.ours) return false
  if (owner !== undefined && !isAlive(owner.pid)) return true
  const stats = await ifExists(lstat(path), undefined)
  // A folder was being unpacked or removed.
  const isOurs = stats?.isFile() === true || (owner !== undefined && stats?.isDirectory() === true)
  return isOurs && Date.now() - (stats?.mtimeMs ?? 0) > ABANDONED_AFTER_MS
}

/** Whether a process has this id. It may be another process than the one that had the id before. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM means that the process belongs to another user.
    return systemCode(error) !== 'ESRCH'
  }
}

async function remove(path: string): Promise<boolean> {
  try {
    return await removeFile(path)
  } catch (error) {
    // unlink() fails with these for a folder.
    if (!['EISDIR', 'EPERM'].includes(systemCode(error) ?? '')) throw error
    await rm(path, { recursive: true, force: true })
    return true
  }
}
