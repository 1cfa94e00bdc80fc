import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { coalesce } from '../async/coalesce.ts'
import { openFile } from './descriptors.ts'
import { FOLDER_MODE } from './layout.ts'

/** Makes what was published in one folder durable: one fsync for all that wait (group commit). */
export class DirectorySync {
  /**
   * Resolves when every change made in the folder before the call is durable. Callers that arrive while an
   * fsync runs share the next one; where it fails, all of them reject with the file system's error.
   */
  readonly sync: () => Promise<void>

  constructor(dir: string) {
    this.sync = coalesce(() => syncDirectory(dir))
  }
}

/**
 * Makes the folder `dir`, and those above it that are missing, with mode 0700. With `durable`, each of them
 * survives a power cut once this resolves.
 */
export async function makeFolder(dir: string, durable: boolean): Promise<void> {
  const first = await mkdir(dir, { recursive: true, mode: FOLDER_MODE })
  if (first === undefined || !durable) return
  for (let made = dir; ; made = dirname(made)) {
    await syncDirectory(dirname(made))
    if (made === first) return
  }
}

/**
 * Resolves when the entries of `dir` are durable. It is opened anew each time: a descriptor kept from before could be
 * of a folder that has been removed and made again since, and one whose fsync has failed must not be trusted with
 * another.
 */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await openFile(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
