import { setTimeout as delay } from 'node:timers/promises'
import { watchFolder } from '../../disk/watch-folder.ts'
import { messageAge } from '../names.ts'
import {
  type DamagedMessage,
  type InboxMessage,
  isMessageName,
  type MessageMatch,
  matchesMessage,
  messageId,
  readMessage,
} from './read.ts'

/** Options of {@link watchInbox}. */
export interface WatchInboxOptions extends MessageMatch {
  /** Called once, when the watch has begun: every message that arrives after this call is yielded. */
  onReady?: (() => void) | undefined
  /** Ends the iteration, without an error. @default never */
  signal?: AbortSignal | undefined
}

/**
 * Yields the messages that arrive in the inbox `dir` from now on, those that arrive together oldest first. The folder
 * need not exist yet. Other programs may write a message under its final name, so a damaged one is read again for up
 * to two seconds before it is yielded as a {@link DamagedMessage}. With `from` or `text`, damaged ones are not yielded.
 *
 * To process messages, use an {@link InboxConsumer}, which loses none across restarts.
 *
 * @throws the file system's error, such as ENOTDIR, if the folder cannot be read
 */
export async function* watchInbox(
  dir: string,
  options: WatchInboxOptions = {},
): AsyncGenerator<InboxMessage | DamagedMessage, void, undefined> {
  const { onReady, signal } = options
  for await (const names of watchFolder(dir, { accepts: isMessageName, onReady, signal })) {
    let rest = names.sort((a, b) => (messageAge(a, 0) < messageAge(b, 0) ? -1 : 1))
    for (let read = 1; rest.length > 0; read++) {
      const damaged: string[] = []
      for (const name of rest) {
        if (signal?.aborted) return
        const message = await readMessage(dir, messageId(name))
        if (message === undefined) continue
        if ('damaged' in message && read < MAX_READS) damaged.push(name)
        else if (matchesMessage(message, options)) yield message
      }
      rest = damaged
      if (rest.length > 0) await delay(READ_AGAIN_MS, undefined, { signal }).catch(() => undefined)
    }
  }
}

const READ_AGAIN_MS = 50
const MAX_READS = 40
