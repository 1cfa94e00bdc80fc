import type { Client } from '../exchange/client.ts'
import type { Message } from '../exchange/outgoing.ts'
import type { Receipt } from '../exchange/receipt.ts'
import { LIMITS } from '../limits.ts'
import { EntryReader } from './entry-file.ts'
import { checkReference, readReference } from './file-reference.ts'

/** How {@link sendEntry} sends. */
export interface SendEntryOptions {
  /** Of the outbox. */
  readonly dir: string
  readonly stem: string
  readonly signal: AbortSignal
  /** ms to wait for the answer; undefined for the client's own. */
  readonly timeoutMs: number | undefined
}

/**
 * Sends what an entry holds, and resolves with the peer's receipt. Small payloads are checked before a byte is
 * sent, large ones before the last: no peer gets to complete a wrong one.
 *
 * @throws what {@link EntryReader.open}, {@link checkReference} and `Client.deliver` throw
 */
export async function sendEntry(client: Client, options: SendEntryOptions): Promise<Receipt> {
  const { dir, stem, signal, timeoutMs } = options
  const reader = await EntryReader.open(dir, stem)
  try {
    const { messageId, replyTo } = reader.head
    const message = await messageOf(reader)
    return await client.deliver(message, { messageId, replyTo, signal, timeoutMs })
  } finally {
    await reader.close()
  }
}

/**
 * Finds out, before anybody is asked, whether the file that an entry refers to is what it was.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED
 */
export async function checkFile(dir: string, stem: string): Promise<void> {
  const reader = await EntryReader.open(dir, stem)
  await reader.close()
  if (reader.head.file !== undefined) await checkReference(reader.head.file)
}

async function messageOf(reader: EntryReader): Promise<Message> {
  const { type, filename, file } = reader.head
  const named = { type, ...(filename !== undefined && { filename }) }
  if (file === undefined && reader.size <= LIMITS.wholeFrame.value) {
    return { ...named, payload: await reader.whole() }
  }
  const [size, pieces] =
    file === undefined ? [reader.size, () => reader.payload()] : [file.size, () => readReference(file)]
  return { ...named, source: { size, pieces, close: async () => {} } }
}
