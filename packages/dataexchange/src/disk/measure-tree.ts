import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere } from './if-exists.ts'
import type { Count } from './usage.ts'

/** What a folder holds, in all its subfolders; what is neither file nor folder does not count. */
export interface TreeSize {
  readonly files: number
  /** Without the folder itself. */
  readonly folders: number
  /** Of all files. */
  readonly bytes: number
}

/** Measures the folder `dir`. What others remove meanwhile does not count; links are not followed. */
export async function measureTree(dir: string): Promise<TreeSize> {
  let files = 0
  let folders = 0
  let bytes = 0
  const waiting = [dir]
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const parent = at
    const entries = await ifThere(readdir(parent, { withFileTypes: true }), [])
    const paths = entries.filter(entry => entry.isFile()).map(({ name }) => join(parent, name))
    for (let i = 0; i < paths.length; i += LOOKS_AT_ONCE) {
      const some = paths.slice(i, i + LOOKS_AT_ONCE)
      for (const stats of await Promise.all(some.map(path => ifThere(lstat(path), undefined)))) {
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

/** What a folder counts as where files are counted: each file and each folder, the folder itself included. */
export function countOf({ files, folders, bytes }: TreeSize): Count {
  return { files: files + folders + 1, bytes }
}

const LOOKS_AT_ONCE = 64
