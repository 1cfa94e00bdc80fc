import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, removeFile } from '../../disk/if-exists.ts'
import { folderLayout } from '../../disk/layout.ts'
import { DeliveryError } from '../../errors.ts'
import { addTombstones } from '../journal/tombstones.ts'
import { MESSAGE_SUFFIX } from '../layout.ts'
import { messageAge } from '../names.ts'

/** A message of the inbox, read (section 3). Records of the original and of newer versions are read alike. */
export interface InboxMessage {
  /** The file's name without `.json`. */
  readonly id: string
  readonly type: string
  /** The sender's address, as text. */
  readonly from: string
  /** RFC 3339. */
  readonly receivedAt: string
  /** Bytes of the payload. */
  readonly bytes: number
  /** The payload as text; where `payload` is not text, with losses. */
  readonly data: string
  /** `base64` where `data` does not hold the payload. */
  readonly encoding: 'utf8' | 'base64'
  /** The payload as base64, where the record has it. */
  readonly base64?: string
  readonly messageId?: string
  readonly replyTo?: string
}

/** A file of the inbox that is no readable message. */
export interface DamagedMessage {
  readonly id: string
  /** What is wrong with it. */
  readonly damaged: string
}

/** What {@link listMessages} selects. */
export interface MessageFilter {
  /** How many are read, at most. @default all */
  limit?: number
  /** Only of this sender, an address as text. @default all */
  from?: string
  /** Only those whose file was written at this time or later, ms since the Unix epoch. @default all */
  since?: number
}

/** The newest messages, and how many there are. */
export interface MessageList {
  /** Newest first. */
  readonly messages: readonly (InboxMessage | DamagedMessage)[]
  /** All that the filter selects, those over the limit included. */
  readonly total: number
}

/**
 * Reads the newest messages of the inbox `dir`. Names tell their order, so that only those wanted are read;
 * `from` needs them all. A damaged file is told as such. A folder that is missing is empty.
 */
export async function listMessages(dir: string, filter: MessageFilter = {}): Promise<MessageList> {
  const { limit = Number.POSITIVE_INFINITY, from, since } = filter
  const messages: (InboxMessage | DamagedMessage)[] = []
  let total = 0
  for (const name of await messageNames(dir)) {
    if (since !== undefined && ((await modifiedAt(dir, name)) ?? 0) < since) continue
    if (from === undefined && total >= limit) {
      total++
      continue
    }
    const message = await readMessage(dir, idOf(name))
    if (message === undefined) continue
    if (from !== undefined && ('damaged' in message || message.from !== from)) continue
    total++
    if (messages.length < limit) messages.push(message)
  }
  return { messages, total }
}

/** Reads the message `id`, or undefined where there is none. */
export async function readMessage(
  dir: string,
  id: string,
): Promise<InboxMessage | DamagedMessage | undefined> {
  if (!isMessageName(`${id}${MESSAGE_SUFFIX}`) || /[/\\]/.test(id)) return undefined
  try {
    const json = await ifThere(readFile(join(dir, `${id}${MESSAGE_SUFFIX}`), 'utf8'), undefined)
    return json === undefined ? undefined : parseMessage(id, json)
  } catch (error) {
    return { id, damaged: error instanceof Error ? error.message : String(error) }
  }
}

/**
 * The payload of `message`, byte for byte.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE where the record does not hold all of it
 */
export function messagePayload(message: InboxMessage): Uint8Array {
  if (message.base64 !== undefined) return Buffer.from(message.base64, 'base64')
  if (message.encoding === 'base64') {
    throw new DeliveryError('SOURCE_UNREADABLE', `${message.id} does not hold its payload`)
  }
  return Buffer.from(message.data, 'utf8')
}

/**
 * Removes the messages of the inbox `dir`; with `before`, ms since the Unix epoch, only those whose file was
 * written earlier. Nothing else in the folder is touched.
 */
export async function clearMessages(
  dir: string,
  before: number = Number.POSITIVE_INFINITY,
): Promise<{ cleared: number; remaining: number }> {
  const cleared: string[] = []
  let remaining = 0
  for (const name of await messageNames(dir)) {
    const modified = await modifiedAt(dir, name)
    if (modified === undefined) continue
    if (modified >= before) remaining++
    else if (await removeFile(join(dir, name))) cleared.push(name)
  }
  await addTombstones(folderLayout(dir), cleared)
  for (const name of cleared) await removeFile(join(dir, name))
  return { cleared: cleared.length, remaining }
}

/** How many messages the inbox `dir` holds, and the bytes of their files. */
export async function countMessages(dir: string): Promise<{ files: number; bytes: number }> {
  let bytes = 0
  const names = await messageNames(dir)
  for (const name of names) bytes += (await lstat(join(dir, name)).catch(() => undefined))?.size ?? 0
  return { files: names.length, bytes }
}

/** Whether `name` is a file name that other programs read as a message: hidden ones are not. */
export function isMessageName(name: string): boolean {
  return name.endsWith(MESSAGE_SUFFIX) && !name.startsWith('.')
}

/** The ids of all messages of the inbox `dir`, oldest first. A folder that is missing is empty. */
export async function messageIds(dir: string): Promise<string[]> {
  return (await messageNames(dir)).map(idOf).reverse()
}

/** Names of the messages of the inbox `dir`, newest first; names without a time count as oldest. */
export async function messageNames(dir: string): Promise<string[]> {
  const entries = await ifThere(readdir(dir, { withFileTypes: true }), [])
  return entries
    .filter(entry => entry.isFile() && isMessageName(entry.name))
    .map(({ name }) => ({ name, age: messageAge(name, 0) }))
    .sort((a, b) => (a.age < b.age ? 1 : a.age > b.age ? -1 : 0))
    .map(({ name }) => name)
}

/**
 * When the file was written, by the file system: the time in its name is local, and so one of two hours when
 * the clocks go back. Undefined where it is gone.
 */
async function modifiedAt(dir: string, name: string): Promise<number | undefined> {
  return (await lstat(join(dir, name)).catch(() => undefined))?.mtimeMs
}

function idOf(name: string): string {
  return name.slice(0, -MESSAGE_SUFFIX.length)
}

function parseMessage(id: string, json: string): InboxMessage | DamagedMessage {
  const record: unknown = JSON.parse(json)
  if (typeof record !== 'object' || record === null) return { id, damaged: 'it is no JSON object' }
  const fields = record as Record<string, unknown>
  const { type, from, received_at: receivedAt, bytes, data, data_b64: base64 } = fields
  if (typeof type !== 'string' || typeof from !== 'string' || typeof receivedAt !== 'string') {
    return { id, damaged: 'type, from or received_at is missing' }
  }
  if (typeof data !== 'string' && typeof base64 !== 'string') return { id, damaged: 'it holds no data' }
  const text = typeof data === 'string' ? data : ''
  return {
    id,
    type,
    from,
    receivedAt,
    bytes: typeof bytes === 'number' ? bytes : Buffer.byteLength(text),
    data: text,
    encoding: fields.data_encoding === 'base64' || typeof data !== 'string' ? 'base64' : 'utf8',
    ...(typeof base64 === 'string' && { base64 }),
    ...(typeof fields.message_id === 'string' && { messageId: fields.message_id }),
    ...(typeof fields.reply_to === 'string' && { replyTo: fields.reply_to }),
  }
}
