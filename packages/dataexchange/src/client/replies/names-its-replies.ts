import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { KiB } from '../../bytes.ts'
import { type InboxMessage, messageNames, readMessage } from '../../mailbox/inbox/read.ts'
import { MESSAGE_SUFFIX } from '../../mailbox/layout.ts'

/** Newest messages of the inbox that are searched for whether a peer sets `reply_to`. @limit count */
const REPLY_SCAN_FILES = 1_000

/** Messages of the peer among them after which the search ends. @limit count */
const REPLY_SCAN_MESSAGES = 200

/** Largest file that this search reads. @limit bytes */
const REPLY_SCAN_SIZE = 64 * KiB

/**
 * Whether the peer `from`, the text of an address, has ever set `reply_to`. Reads the newest 1,000 messages of the inbox
 * `dir`, up to 200 of that peer. Skips large files.
 */
export async function namesItsReplies(dir: string, from: string, signal: AbortSignal): Promise<boolean> {
  const names = (await messageNames(dir)).slice(0, REPLY_SCAN_FILES)
  let ofPeer = 0
  for (let at = 0; at < names.length && !signal.aborted; at += AT_ONCE) {
    const messages = await Promise.all(names.slice(at, at + AT_ONCE).map(name => readSmall(dir, name)))
    for (const message of messages) {
      if (message?.from !== from) continue
      if (message.replyTo !== undefined) return true
      if (++ofPeer >= REPLY_SCAN_MESSAGES) return false
    }
  }
  return false
}

const AT_ONCE = 16

async function readSmall(dir: string, name: string): Promise<InboxMessage | undefined> {
  const stats = await lstat(join(dir, name)).catch(() => undefined)
  if (stats === undefined || stats.size > REPLY_SCAN_SIZE) return undefined
  const message = await readMessage(dir, name.slice(0, -MESSAGE_SUFFIX.length))
  return message === undefined || 'damaged' in message ? undefined : message
}
