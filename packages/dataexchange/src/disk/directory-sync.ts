import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { coalesce } from '../async/coalesce.ts'
import { openFile } from './descriptors.ts'
import { FOLDER_MODE } from './layout.ts'

/** Makes the entries of one folder durable, with one fsync for all waiting callers (group commit). */
export class DirectorySync {
  /**
   * Resolves when all changes in the folder before the call are durable. Callers that arrive during an fsync share the
   * next one; if it fails, all of them reject with the error of the file system.
   */
  readonly sync: () => Promise<void>

  constructor(dir: string) {
    this.sync = coalesce(() => syncDirectory(dir))
  }
}

/**
 * Creates the folder `dir` and its missing parents with mode 0700 `[disk.folder-mode]`. With `durable`, all of them
 * survive a power cut once this resolves.
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
 * Resolves when the entries of `dir` are durable. The folder is opened each time: a kept descriptor could belong to a
 * folder that was removed and created again, and after a failed fsync a descriptor must not be trusted.
 */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await openFile(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
