import { watchFolder } from '../../disk/watch-folder.ts'
import {
  isReceivedName,
  matchesReceived,
  type ReceivedFile,
  type ReceivedMatch,
  statReceived,
} from './read.ts'

/** Options of {@link watchReceived}. */
export interface WatchReceivedOptions extends ReceivedMatch {
  /** Called once, when the watch has begun: every file that arrives after this call is yielded. */
  onReady?: (() => void) | undefined
  /** Ends the iteration, without an error. @default never */
  signal?: AbortSignal | undefined
}

/**
 * Yields the files and unpacked folders that arrive in the received folder `dir` from now on. The folder need not
 * exist yet. Files of this package come with their records; other programs may still be writing theirs.
 *
 * @throws the file system's error, such as ENOTDIR, if the folder cannot be read
 */
export async function* watchReceived(
  dir: string,
  options: WatchReceivedOptions = {},
): AsyncGenerator<ReceivedFile, void, undefined> {
  const { onReady, signal } = options
  for await (const names of watchFolder(dir, { accepts: isReceivedName, onReady, signal })) {
    for (const name of names.sort()) {
      const file = await statReceived(dir, name)
      if (file !== undefined && matchesReceived(file, options)) yield file
    }
  }
}
