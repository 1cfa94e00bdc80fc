import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifExists } from './if-exists.ts'
import type { Usage } from './usage.ts'

/** The contents of a folder and all its subfolders. Only files and folders count. */
export interface TreeSize {
  readonly files: number
  /** The number of subfolders; the folder itself does not count. */
  readonly folders: number
  /** The total size of all files in bytes. */
  readonly bytes: number
}

/** Measures the folder `dir`. Files that are removed meanwhile do not count; links are not followed. */
export async function measureTree(dir: string): Promise<TreeSize> {
  let files = 0
  let folders = 0
  let bytes = 0
  const waiting = [dir]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const parent = at
    const entries = await ifExists(readdir(parent, { withFileTypes: true }), [])
    const paths = entries.filter(entry => entry.isFile()).map(({ name }) => join(parent, name))
    for (let i = 0; i < paths.length; i += STATS_AT_ONCE) {
      const some = paths.slice(i, i + STATS_AT_ONCE)
      for (const stats of await Promise.all(some.map(path => ifExists(lstat(path), undefined)))) {
        if (stats === undefined) continue
        files++
        bytes += stats.size
      }
    }
    const below = entries.filter(entry => entry.isDirectory())
    folders += below.length
    for (const { name } of below) waiting.push(join(parent, name))
  }
  return { files, folders, bytes }
}

/** Returns what a folder counts for in a limit of files: each file and each folder, including itself. */
export function usageOf({ files, folders, bytes }: TreeSize): Usage {
  return { files: files + folders + 1, bytes }
}

const STATS_AT_ONCE = 64
