import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../../disk/directory-sync.ts'
import { ifExists } from '../../disk/if-exists.ts'
import { FILE_MODE, type FolderLayout } from '../../disk/layout.ts'
import { journalDir } from '../layout.ts'
import { segmentOwner, tombstonesPath } from './journal-folder.ts'

/**
 * Adds durable tombstones for the files `names` beside every segment, also of other processes: recovery must not bring
 * the files back. With `journal` only beside the segments of that journal, since another may have other files of these
 * names. Without a journal this costs one listing.
 *
 * The caller removes the files before this call, and once more after it: a recovery that has not read the tombstones
 * yet may just have written them again.
 */
export async function addTombstones(
  layout: FolderLayout,
  names: readonly string[],
  journal?: string,
): Promise<void> {
  if (names.length === 0) return
  const dir = journalDir(layout)
  const segments = (await ifExists(readdir(dir), [])).filter(name => {
    const owner = segmentOwner(name)
    return owner !== undefined && (journal === undefined || owner.journal === journal)
  })
  if (segments.length === 0) return
  for (const segment of segments) await appendTombstones(join(dir, segment), names)
  await syncDirectory(dir)
}

/** Appends tombstones beside the segment at `path` and syncs them. The caller syncs the folder. */
export async function appendTombstones(path: string, names: readonly string[]): Promise<void> {
  // The file may end in a torn line.
  const lines = ['', ...names.map(name => JSON.stringify(name)), ''].join('\n')
  const handle = await open(tombstonesPath(path), 'a', FILE_MODE)
  try {
    await handle.appendFile(lines)
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** The names that have a tombstone beside the segment at `path`. */
export async function readTombstones(path: string): Promise<string[]> {
  const text = await ifExists(readFile(tombstonesPath(path), 'utf8'), '')
  // The last line is empty, or torn.
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
