import { readdir } from 'node:fs/promises'
import { FolderWatcher } from './folder-watcher.ts'
import { ifExists } from './if-exists.ts'

/** Options of {@link watchFolder}. */
export interface WatchOptions {
  /** Whether a name is reported. */
  accepts: (name: string) => boolean
  /** Called when the existing files are listed. All files that appear afterwards are reported. @default none */
  onReady?: (() => void) | undefined
  /** Ends the iteration without an error when it fires. @default never */
  signal?: AbortSignal | undefined
}

/**
 * Yields the names of new files in `dir`. Files that appear together are yielded together, in no particular order. The
 * folder need not exist. Notifications of the system make it fast; a poll every 2 s covers file systems without them.
 */
export async function* watchFolder(
  dir: string,
  options: WatchOptions,
): AsyncGenerator<string[], void, undefined> {
  const { accepts, onReady, signal } = options
  const watcher = new FolderWatcher(dir)
  try {
    let known = new Set(await namesIn(dir))
    onReady?.()
    while (!signal?.aborted) {
      await watcher.changed({ signal })
      if (signal?.aborted) return
      const names = await namesIn(dir)
      const fresh = names.filter(name => !known.has(name) && accepts(name))
      known = new Set(names)
      if (fresh.length > 0) yield fresh
    }
  } finally {
    watcher.close()
  }
}

async function namesIn(dir: string): Promise<string[]> {
  return ifExists(readdir(dir), [])
}
