import { join } from 'node:path'
import { OwnNames, ownerIn } from './unique-names.ts'

/** The paths of one folder of the mailbox. */
export interface FolderLayout {
  /** What other programs read: nothing but complete messages or files lies here, and {@link temporaries}. */
  readonly dir: string
  /**
   * The hidden subfolder for what is being written. Inside the folder, so that it is on the same file
   * system by construction; other programs skip subfolders (section 3).
   */
  readonly temporaries: string
}

/** The layout of the folder `dir`. */
export function folderLayout(dir: string): FolderLayout {
  return { dir, temporaries: join(dir, TEMPORARY) }
}

/** Mode of every folder that is made (section 3). */
export const FOLDER_MODE = 0o700

/** Mode of every file (section 3). */
export const FILE_MODE = 0o600

/** A new path for a temporary: no other process, and no other call here, uses it. */
export function temporaryPath(layout: FolderLayout): string {
  return join(layout.temporaries, temporaryNames.next())
}

/** The path that reserves the final name `name` where the file system cannot make hard links. */
export function claimPath(layout: FolderLayout, name: string): string {
  return join(layout.temporaries, `${name}${CLAIM}`)
}

/**
 * The id of the process that made the temporary `name`, or undefined where the name does not tell. A
 * process of an earlier boot or container may have had the id of this one: `ours` tells them apart.
 */
export function temporaryOwner(name: string): { pid: number; ours: boolean } | undefined {
  const owner = ownerIn(name, TEMPORARY)
  return owner && { pid: owner.pid, ours: owner.token === temporaryNames.token }
}

const TEMPORARY = '.tmp'

const CLAIM = '.claim'

const temporaryNames = new OwnNames(TEMPORARY)
