import { link, lstat, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../system-errors.ts'
import { ifExists } from './if-exists.ts'
import { FILE_MODE, type FolderLayout, reservationPath } from './layout.ts'

/**
 * Gives the finished file at `temporary` the name `name` in the folder, atomically and without overwriting: resolves
 * with false if the name is taken. The temporary name may remain; the caller removes it.
 */
export async function publish(layout: FolderLayout, temporary: string, name: string): Promise<boolean> {
  try {
    await link(temporary, join(layout.dir, name))
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    if (hasNoHardLinks(error)) return publishByRename(layout, temporary, name)
    throw error
  }
}

/** Whether `error` of link() means that the file system has no hard links. */
export function hasNoHardLinks(error: unknown): boolean {
  return NO_HARD_LINKS.has(systemCode(error) ?? '')
}

/**
 * Gives the finished folder at `temporary` the name `name` in the folder, atomically: resolves with false if the name
 * is taken by anything but an empty folder.
 */
export async function publishFolder(layout: FolderLayout, temporary: string, name: string): Promise<boolean> {
  try {
    // rename() does not replace a folder that is not empty.
    await rename(temporary, join(layout.dir, name))
    return true
  } catch (error) {
    const isTaken = (await ifExists(lstat(join(layout.dir, name)), undefined)) !== undefined
    if (!isTaken || !TAKEN.has(systemCode(error) ?? '')) throw error
    return false
  }
}

const TAKEN: ReadonlySet<string> = new Set(['EEXIST', 'ENOTEMPTY', 'ENOTDIR', 'EPERM', 'EACCES'])

/** The errors of link() on file systems without hard links (FAT, some network and FUSE mounts). */
const NO_HARD_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

/**
 * rename() overwrites, so a file in the hidden subfolder first reserves the name among all mailboxes on the folder. An
 * empty file under the final name would also reserve it against other programs, but readers would see it, and a crash
 * would leave it behind.
 */
async function publishByRename(layout: FolderLayout, temporary: string, name: string): Promise<boolean> {
  const reservation = reservationPath(layout, name)
  try {
    await (await open(reservation, 'wx', FILE_MODE)).close()
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
  try {
    const path = join(layout.dir, name)
    if ((await ifExists(lstat(path), undefined)) !== undefined) return false
    await rename(temporary, path)
    return true
  } finally {
    await unlink(reservation).catch(() => undefined)
  }
}
