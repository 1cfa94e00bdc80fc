import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../system-errors.ts'
import { ifThere, removeFile } from './if-exists.ts'
import { type FolderLayout, temporaryOwner } from './layout.ts'

/**
 * Removes what processes that died left in the hidden subfolder, and returns how many that were: the
 * temporaries of processes that are no longer alive, and those of others untouched for an hour, since the
 * id of a dead process may be in use again. What this process is writing stays, and so does what a live one
 * writes; should one of another machine or container be taken for dead, its store fails or is repeated, and
 * nothing that was stored is lost.
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
  const stats = await ifThere(lstat(path), undefined)
  // A folder is one that was being unpacked, or removed.
  const isOurs = stats?.isFile() === true || (owner !== undefined && stats?.isDirectory() === true)
  return isOurs && Date.now() - (stats?.mtimeMs ?? 0) > ABANDONED_AFTER_MS
}

/** Whether a process has this id; it may be another one than the one that is meant. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: alive, but of another user.
    return systemCode(error) !== 'ESRCH'
  }
}

async function remove(path: string): Promise<boolean> {
  try {
    return await removeFile(path)
  } catch (error) {
    // What is said of folders.
    if (!['EISDIR', 'EPERM'].includes(systemCode(error) ?? '')) throw error
    await rm(path, { recursive: true, force: true })
    return true
  }
}
