import { unlink } from 'node:fs/promises'
import { systemCode } from '../system-errors.ts'

/** Resolves as `work` does, or with `otherwise` if the file or folder is missing (ENOENT). */
export async function ifExists<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return otherwise
    throw error
  }
}

/** Removes the file at `path`; false if it is already gone. */
export function removeFile(path: string): Promise<boolean> {
  return ifExists(
    unlink(path).then(() => true),
    false,
  )
}

/**
 * Runs `task`, which needs a folder. If the folder is missing, because another program has removed it, creates it with
 * `makeFolder` and runs `task` once more.
 */
export async function retryInFolder<T>(
  makeFolder: () => Promise<unknown>,
  task: () => Promise<T>,
): Promise<T> {
  try {
    return await task()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    await makeFolder()
    return task()
  }
}
