import { parseAddress } from 'pilot-dataexchange'
import {
  clearMessages,
  type DamagedMessage,
  type InboxMessage,
  listMessages,
  watchInbox,
} from 'pilot-dataexchange/mailbox'
import { type Context, inboxDir } from '../shared/context.ts'
import { CliError } from '../shared/errors.ts'
import { plural, table } from '../shared/format.ts'
import { safeBlock, safeLine, shorten } from '../shared/safe-text.ts'

/** Options of `inbox`; times in ms since the Unix epoch. */
export interface InboxOptions {
  limit?: number
  from?: string
  since?: number
  latest?: boolean
  full?: boolean
  clear?: boolean
  before?: number
  watch?: boolean
  dir?: string
}

/** Lists, watches or clears the inbox. */
export async function inbox(context: Context, options: InboxOptions): Promise<void> {
  const dir = inboxDir(context, options.dir)
  const from = options.from === undefined ? undefined : parseAddress(options.from).toString()
  if (options.before !== undefined && !options.clear) {
    throw new CliError('--before goes with --clear', {
      hint: 'to list what is newer than a time, use --since',
    })
  }
  if (options.clear) await clear(context, dir, options.before)
  else if (options.watch) await watch(context, dir, { from, full: options.full })
  else await list(context, dir, { ...options, from })
}

const DEFAULT_LIMIT = 10
const PREVIEW_LENGTH = 120

async function list(context: Context, dir: string, options: InboxOptions): Promise<void> {
  const { from, since, full } = options
  const wanted = options.latest ? 1 : (options.limit ?? DEFAULT_LIMIT)
  const limit = wanted === 0 ? undefined : wanted
  const { messages, total } = await listMessages(dir, { limit, from, since })
  const data = {
    messages: messages.map(message => messageData(message, full)),
    total,
    shown: messages.length,
    dir,
  }
  context.output.result(data, () => {
    const more = total > messages.length ? `${messages.length} of ` : ''
    const footer = `${more}${plural(total, 'message')} in ${safeLine(dir)}${more && ' (--limit 0 lists all)'}`
    return [full ? messages.map(fullText).join('\n\n') : listText(messages), footer]
      .filter(text => text !== '')
      .join('\n\n')
  })
}

async function clear({ output }: Context, dir: string, before?: number): Promise<void> {
  const result = await clearMessages(dir, before)
  output.confirm(result, () => `removed ${plural(result.cleared, 'message')}, ${result.remaining} left`)
}

async function watch(
  { output }: Context,
  dir: string,
  { from, full }: Pick<InboxOptions, 'from' | 'full'>,
): Promise<void> {
  const onReady = () => {
    if (output.json) output.result({ watching: dir }, () => '')
    else output.note(`watching ${safeLine(dir)}; Ctrl-C ends it`)
  }
  for await (const message of watchInbox(dir, { from, onReady })) {
    output.item(messageData(message, full), () => (full ? `${fullText(message)}\n` : listText([message])))
  }
}

/** A message as a record of `--json`. */
export function messageData(message: InboxMessage | DamagedMessage, full = false): Record<string, unknown> {
  if ('damaged' in message) return { id: message.id, damaged: message.damaged }
  const { id, from, receivedAt, type, size, messageId, replyTo } = message
  return {
    id,
    from,
    received_at: receivedAt,
    type,
    bytes: size,
    ...(messageId !== undefined && { message_id: messageId }),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    ...(full
      ? {
          data: message.data,
          data_encoding: message.encoding,
          ...(message.base64 !== undefined && { data_b64: message.base64 }),
        }
      : { preview: previewOf(message) }),
  }
}

/** The start of a message. Not yet safe for a terminal. */
function previewOf({ data, encoding, size }: InboxMessage): string {
  return encoding === 'base64' ? `<${plural(size, 'byte')}, base64>` : shorten(data, PREVIEW_LENGTH)
}

/** Messages for a terminal, one a line. */
export function listText(messages: readonly (InboxMessage | DamagedMessage)[]): string {
  return table(
    messages.map(message =>
      'damaged' in message
        ? [safeLine(message.id), '-', '-', `<damaged: ${safeLine(message.damaged)}>`]
        : [
            safeLine(message.id),
            safeLine(shorten(message.from, 40)),
            message.size,
            safeLine(previewOf(message)),
          ],
    ),
  )
}

/** Indents the data, so that no part of it looks like the head of another message. */
export function fullText(message: InboxMessage | DamagedMessage): string {
  if ('damaged' in message) return `${safeLine(message.id)}\n    <damaged: ${safeLine(message.damaged)}>`
  const { id, from, receivedAt, type, size, messageId, replyTo } = message
  const head = [
    safeLine(id),
    `${safeLine(type)} from ${safeLine(from)}, ${plural(size, 'byte')}, ${safeLine(receivedAt)}`,
    ...(messageId === undefined ? [] : [`message id ${safeLine(messageId)}`]),
    ...(replyTo === undefined ? [] : [`reply to ${safeLine(replyTo)}`]),
  ]
  const data =
    message.encoding === 'base64'
      ? `<${plural(size, 'byte')} that are not text: pilot-dx inbox read ${safeLine(id)}>`
      : safeBlock(message.data)
  return [
    ...head,
    ...data
      .replace(/\n$/, '')
      .split('\n')
      .map(line => `    ${line}`),
  ].join('\n')
}
