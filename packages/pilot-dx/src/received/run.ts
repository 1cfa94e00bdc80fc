import {
  clearPartials,
  clearReceived,
  listReceived,
  type ReceivedFile,
  watchReceived,
} from 'pilot-dataexchange/mailbox'
import { type Context, receivedDir } from '../shared/context.ts'
import { CliError } from '../shared/errors.ts'
import { facts, plural, table, timeText } from '../shared/format.ts'
import { safeLine } from '../shared/safe-text.ts'

/** Options of `received`; times in ms since the Unix epoch. */
export interface ReceivedOptions {
  limit?: number
  since?: number
  full?: boolean
  clear?: boolean
  before?: number
  watch?: boolean
  dir?: string
}

/** Lists, watches or clears the received folder. */
export async function received(context: Context, options: ReceivedOptions): Promise<void> {
  const dir = receivedDir(context, options.dir)
  if (options.before !== undefined && !options.clear) {
    throw new CliError('--before goes with --clear', {
      hint: 'to list what is newer than a time, use --since',
    })
  }
  if (options.clear) await clear(context, dir, options.before)
  else if (options.watch) await watch(context, dir, options.full)
  else await list(context, dir, options)
}

const DEFAULT_LIMIT = 10

async function list({ output }: Context, dir: string, options: ReceivedOptions): Promise<void> {
  const { limit = DEFAULT_LIMIT, since, full } = options
  const { files, total } = await listReceived(dir, { limit: limit === 0 ? undefined : limit, since })
  output.result({ files: files.map(fileData), total, shown: files.length, dir }, () => {
    const more = total > files.length ? `${files.length} of ` : ''
    const footer = `${more}${plural(total, 'file')} in ${safeLine(dir)}${more && ' (--limit 0 lists all)'}`
    return [full ? files.map(fullText).join('\n\n') : listText(files), footer]
      .filter(text => text !== '')
      .join('\n\n')
  })
}

async function clear({ output }: Context, dir: string, before?: number): Promise<void> {
  const { cleared, remaining } = await clearReceived(dir, before)
  const clearedPartial = await clearPartials(dir, before)
  output.confirm({ cleared, remaining, cleared_partial: clearedPartial }, () => {
    const partial = clearedPartial > 0 ? ` and ${plural(clearedPartial, 'partial file')}` : ''
    return `removed ${plural(cleared, 'file')}${partial}, ${remaining} left`
  })
}

async function watch({ output }: Context, dir: string, full = false): Promise<void> {
  const onReady = () => {
    if (output.json) output.result({ watching: dir }, () => '')
    else output.note(`watching ${safeLine(dir)}; Ctrl-C ends it`)
  }
  for await (const file of watchReceived(dir, { onReady })) {
    output.item(fileData(file), () => (full ? `${fullText(file)}\n` : listText([file])))
  }
}

function fileData(file: ReceivedFile): Record<string, unknown> {
  const { name, size, modifiedAt: modified, path, files } = file
  return {
    name,
    bytes: size,
    ...(files !== undefined && { folder: true, files }),
    modified: new Date(modified).toISOString(),
    path,
    // JSON leaves out undefined fields.
    from: file.from,
    original_name: file.originalName,
    type: file.type,
    sha256: file.sha256,
    received_at: file.receivedAt,
    message_id: file.messageId,
    reply_to: file.replyTo,
    damaged_record: file.damagedRecord,
  }
}

function listText(files: readonly ReceivedFile[]): string {
  return table(files.map(file => [timeText(file.modifiedAt), file.size, nameText(file)]))
}

/** Marks a folder with a slash. */
function nameText({ name, files }: ReceivedFile): string {
  return files === undefined ? safeLine(name) : `${safeLine(name)}/  (${plural(files, 'file')})`
}

function fullText(file: ReceivedFile): string {
  const pairs: (readonly [string, string | undefined])[] = [
    ['from', file.from],
    ['name', file.originalName],
    ['received', file.receivedAt],
    ['sha256', file.sha256],
    ['message id', file.messageId],
    ['reply to', file.replyTo],
    ['no record', file.damagedRecord],
  ]
  const known = pairs.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, safeLine(value)] as const],
  )
  const origin = known.length === 0 ? [['from', 'unknown: another program wrote the file'] as const] : known
  return [listText([file]), facts(origin).replace(/^/gm, '    ')].join('\n')
}
