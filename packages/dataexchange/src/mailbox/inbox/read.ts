import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifExists, removeFile } from '../../disk/if-exists.ts'
import { folderLayout } from '../../disk/layout.ts'
import { DeliveryError } from '../../errors.ts'
import { addTombstones } from '../journal/tombstones.ts'
import { MESSAGE_SUFFIX } from '../layout.ts'
import { messageAge } from '../names.ts'

/** A message of the inbox `[inbox.object]`, written by this package, a newer version of it or the original. */
export interface InboxMessage {
  /** The file's name without `.json`. */
  readonly id: string
  readonly type: string
  /** The sender's address as text. */
  readonly from: string
  /** Time of arrival, RFC 3339. */
  readonly receivedAt: string
  /** Size of the payload in bytes. */
  readonly size: number
  /** The payload as text. A payload that is not UTF-8 loses bytes here, see {@link messagePayload}. */
  readonly data: string
  /** `utf8` if `data` is the whole payload, `base64` if it is not. */
  readonly encoding: 'utf8' | 'base64'
  /** The payload as base64, if the message has it. */
  readonly base64?: string
  /** The sender's id of the message. */
  readonly messageId?: string
  /** The id of the message that this one answers. */
  readonly replyTo?: string
}

/** A file of the inbox that cannot be read as a message. */
export interface DamagedMessage {
  /** The file's name without `.json`. */
  readonly id: string
  /** The reason, for people. */
  readonly damaged: string
}

/** Which messages match. */
export interface MessageMatch {
  /** Only messages of this sender, an address as text. @default all */
  from?: string | undefined
  /** Only messages with this text in their payload; case does not matter. @default all */
  text?: string | undefined
}

/** Selects messages for {@link listMessages}. */
export interface MessageFilter extends MessageMatch {
  /** Maximum number of messages to return. @default all */
  limit?: number | undefined
  /** Only messages whose file was written at this time or later: ms since the Unix epoch. @default all */
  since?: number | undefined
}

/** The newest messages, and their total number. */
export interface MessageList {
  /** Newest first. */
  readonly messages: readonly (InboxMessage | DamagedMessage)[]
  /** The number of messages that the filter selects, without its limit. */
  readonly total: number
}

/**
 * Reads the newest messages of the inbox `dir`. The order is in the names, so only the selected messages are read; with
 * `from` or `text`, all of them. A damaged file is returned as a {@link DamagedMessage}, but not with `from` or `text`.
 * A missing folder is empty.
 *
 * @throws the file system's error, such as ENOTDIR, if the folder cannot be read
 */
export async function listMessages(dir: string, filter: MessageFilter = {}): Promise<MessageList> {
  const { limit = Number.POSITIVE_INFINITY, from, text, since } = filter
  const isMatching = from !== undefined || text !== undefined
  const messages: (InboxMessage | DamagedMessage)[] = []
  let total = 0
  for (const name of await messageNames(dir)) {
    if (since !== undefined && ((await modifiedAt(dir, name)) ?? 0) < since) continue
    if (!isMatching && total >= limit) {
      total++
      continue
    }
    const message = await readMessage(dir, messageId(name))
    if (message === undefined) continue
    if (!matchesMessage(message, filter)) continue
    total++
    if (messages.length < limit) messages.push(message)
  }
  return { messages, total }
}

/** Reads the message `id`. Undefined if it does not exist. */
export async function readMessage(
  dir: string,
  id: string,
): Promise<InboxMessage | DamagedMessage | undefined> {
  if (!isMessageName(`${id}${MESSAGE_SUFFIX}`) || /[/\\]/.test(id)) return undefined
  try {
    const json = await ifExists(readFile(messagePath(dir, id), 'utf8'), undefined)
    return json === undefined ? undefined : parseMessage(id, json)
  } catch (error) {
    return { id, damaged: error instanceof Error ? error.message : String(error) }
  }
}

/**
 * The payload of `message`, byte for byte `[inbox.lossless]`.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE if the message does not contain all of it
 */
export function messagePayload(message: InboxMessage): Uint8Array {
  if (message.base64 !== undefined) return Buffer.from(message.base64, 'base64')
  if (message.encoding === 'base64') {
    throw new DeliveryError('SOURCE_UNREADABLE', `${message.id} does not contain its payload`)
  }
  return Buffer.from(message.data, 'utf8')
}

/**
 * Removes the messages of the inbox `dir`. With `before`, in ms since the Unix epoch, only messages whose file was
 * written earlier. Other files stay. Resolves when no power cut can bring the messages back from the journal.
 *
 * @throws the file system's error, such as ENOTDIR
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

/** The number of messages in the inbox `dir`, and the size of their files in bytes. */
export async function countMessages(dir: string): Promise<{ files: number; bytes: number }> {
  let bytes = 0
  const names = await messageNames(dir)
  for (const name of names) bytes += (await lstat(join(dir, name)).catch(() => undefined))?.size ?? 0
  return { files: names.length, bytes }
}

/** Whether `name` is the file name of a message. Hidden files are not messages. */
export function isMessageName(name: string): boolean {
  return name.endsWith(MESSAGE_SUFFIX) && !name.startsWith('.')
}

/** Whether `message` matches; a damaged one matches only if nothing is asked for. */
export function matchesMessage(
  message: InboxMessage | DamagedMessage,
  { from, text }: MessageMatch,
): boolean {
  if (from === undefined && text === undefined) return true
  if ('damaged' in message || (from !== undefined && message.from !== from)) return false
  if (text === undefined) return true
  const { base64, data } = message
  const payload = base64 === undefined ? data : Buffer.from(base64, 'base64').toString()
  return payload.toLowerCase().includes(text.toLowerCase())
}

/** Whether the inbox `dir` has a regular file under the name of the message `id`. */
export function isMessage(dir: string, id: string): Promise<boolean> {
  return lstat(messagePath(dir, id)).then(
    stats => stats.isFile(),
    () => false,
  )
}

/** The id of the message in the file `name`. */
export function messageId(name: string): string {
  return name.slice(0, -MESSAGE_SUFFIX.length)
}

/** The path of the message `id` of the inbox `dir`. */
export function messagePath(dir: string, id: string): string {
  return join(dir, `${id}${MESSAGE_SUFFIX}`)
}

/** The ids of all messages in the inbox `dir`, oldest first. A missing folder is empty. */
export async function messageIds(dir: string): Promise<string[]> {
  return (await messageNames(dir)).map(messageId).reverse()
}

/** The file names of all messages in the inbox `dir`, newest first. A name without a time counts as oldest. */
export async function messageNames(dir: string): Promise<string[]> {
  const entries = await ifExists(readdir(dir, { withFileTypes: true }), [])
  return entries
    .filter(entry => entry.isFile() && isMessageName(entry.name))
    .map(({ name }) => ({ name, age: messageAge(name, 0) }))
    .sort((a, b) => (a.age < b.age ? 1 : a.age > b.age ? -1 : 0))
    .map(({ name }) => name)
}

/**
 * The modification time of the file in ms, or undefined if it is gone. The time in its name is local, and ambiguous
 * when the clocks go back.
 */
async function modifiedAt(dir: string, name: string): Promise<number | undefined> {
  return (await lstat(join(dir, name)).catch(() => undefined))?.mtimeMs
}

function parseMessage(id: string, json: string): InboxMessage | DamagedMessage {
  const record: unknown = JSON.parse(json)
  if (typeof record !== 'object' || record === null) return { id, damaged: 'it is not a JSON object' }
  const fields = record as Record<string, unknown>
  const { type, from, received_at: receivedAt, bytes, data, data_b64: base64 } = fields
  if (typeof type !== 'string' || typeof from !== 'string' || typeof receivedAt !== 'string') {
    return { id, damaged: 'type, from or received_at is missing' }
  }
  if (typeof data !== 'string' && typeof base64 !== 'string') return { id, damaged: 'data is missing' }
  const text = typeof data === 'string' ? data : ''
  return {
    id,
    type,
    from,
    receivedAt,
    size: typeof bytes === 'number' ? bytes : Buffer.byteLength(text),
    data: text,
    encoding: fields.data_encoding === 'base64' || typeof data !== 'string' ? 'base64' : 'utf8',
    ...(typeof base64 === 'string' && { base64 }),
    ...(typeof fields.message_id === 'string' && { messageId: fields.message_id }),
    ...(typeof fields.reply_to === 'string' && { replyTo: fields.reply_to }),
  }
}
