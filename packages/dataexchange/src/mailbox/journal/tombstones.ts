import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../../disk/directory-sync.ts'
import { ifThere } from '../../disk/if-exists.ts'
import { FILE_MODE, type FolderLayout } from '../../disk/layout.ts'
import { journalDir } from '../layout.ts'
import { removedPath, segmentOwner } from './journal-folder.ts'

/**
 * Notes, durably, that the files `names` of a folder are removed, also by other processes than the one that writes
 * the journal: a power cut must not bring them back out of it. Where there is no journal this costs a listing. With
 * `journal` only those of that one are meant: another one may have other files of these names.
 *
 * Whoever removes files for good does so before, and once more after: a start that has not seen the note may just have
 * written one again.
 */
export async function noteRemoved(
  layout: FolderLayout,
  names: readonly string[],
  journal?: string,
): Promise<void> {
  if (names.length === 0) return
  const dir = journalDir(layout)
  const segments = (await ifThere(readdir(dir), [])).filter(name => {
    const owner = segmentOwner(name)
    return owner !== undefined && (journal === undefined || owner.journal === journal)
  })
  if (segments.length === 0) return
  for (const segment of segments) await noteBeside(join(dir, segment), names)
  await syncDirectory(dir)
}

/** Notes that the files `names` are removed, beside the segment at `path` only. The caller syncs the folder. */
export async function noteBeside(path: string, names: readonly string[]): Promise<void> {
  // What is there may end in a line that is torn.
  const lines = ['', ...names.map(name => JSON.stringify(name)), ''].join('\n')
  const handle = await open(removedPath(path), 'a', FILE_MODE)
  try {
    await handle.appendFile(lines)
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** The files that are noted beside the segment at `path`. */
export async function removedOf(path: string): Promise<string[]> {
  const text = await ifThere(readFile(removedPath(path), 'utf8'), '')
  // What follows the last line end is nothing, or a torn end.
  return text
    .split('\n')
    .slice(0, -1)
    .map(nameIn)
    .filter(name => name !== undefined)
}

function nameIn(line: string): string | undefined {
  try {
    return String(JSON.parse(line))
  } catch {
    return undefined
  }
}
