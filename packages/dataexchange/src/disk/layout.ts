import { join } from 'node:path'
import { ownerIn, UniqueNames } from './unique-names.ts'

/** The paths of one folder of the mailbox. */
export interface FolderLayout {
  /** The folder that other programs read. It contains only complete messages or files, and {@link temporaries}. */
  readonly dir: string
  /**
   * The hidden subfolder for files that are being written. It lies inside the folder so that it is on the same file
   * system; other programs skip subfolders `[disk.hidden-temporaries]`.
   */
  readonly temporaries: string
}

/** Returns the layout of the folder `dir`. */
export function folderLayout(dir: string): FolderLayout {
  return { dir, temporaries: join(dir, TEMPORARY) }
}

/** The mode of every folder that is created `[disk.folder-mode]`. */
export const FOLDER_MODE = 0o700

/** The mode of every file that is created `[disk.file-mode]`. */
export const FILE_MODE = 0o600

/** Returns a new path for a temporary file, which no other process or call uses. */
export function temporaryPath(layout: FolderLayout): string {
  return join(layout.temporaries, temporaryNames.next())
}

/** Returns the path that reserves the final name `name` on a file system without hard links. */
export function reservationPath(layout: FolderLayout, name: string): string {
  return join(layout.temporaries, `${name}${RESERVATION}`)
}

/**
 * Returns the id of the process that created the temporary file `name`, or undefined if the name has none. A process of
 * an earlier boot or another container may have the same id: `ours` is true only for names of this process.
 */
export function temporaryOwner(name: string): { pid: number; ours: boolean } | undefined {
  const owner = ownerIn(name, TEMPORARY)
  return owner && { pid: owner.pid, ours: owner.token === temporaryNames.token }
}

const TEMPORARY = '.tmp'

const RESERVATION = '.claim'

const temporaryNames = new UniqueNames(TEMPORARY)
