import { readdir } from 'node:fs/promises'
import { FolderBell } from './folder-watcher.ts'
import { ifThere } from './if-exists.ts'

/** Options of {@link watchFolder}. */
export interface WatchOptions {
  /** Which names count. */
  accepts: (name: string) => boolean
  /** Called once what is there already has been taken down: what comes from then on is told. */
  onReady?: (() => void) | undefined
  /** Ends the iteration when it fires. @default never */
  signal?: AbortSignal | undefined
}

/**
 * The names of the files that come into `dir` from now on, those that come at once together, in no order.
 * The folder need not exist yet. The system's notifications make it quick, and a look every 2 s makes up for
 * those that a file system does not send.
 */
export async function* watchFolder(
  dir: string,
  options: WatchOptions,
): AsyncGenerator<string[], void, undefined> {
  const { accepts, onReady, signal } = options
  const bell = new FolderBell(dir)
  try {
    let known = new Set(await namesIn(dir))
    onReady?.()
    while (!signal?.aborted) {
      await bell.rung({ signal })
      if (signal?.aborted) return
      const names = await namesIn(dir)
      const fresh = names.filter(name => !known.has(name) && accepts(name))
      known = new Set(names)
      if (fresh.length > 0) yield fresh
    }
  } finally {
    bell.close()
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return ifThere(readdir(dir), [])
}
