import { Outbox, type OutboxEntry } from 'pilot-dataexchange/outbox'
import { type Context, outboxDir } from '../shared/context.ts'
import { durationText, plural, table } from '../shared/format.ts'
import { safeLine } from '../shared/safe-text.ts'

/** Options of all verbs of `outbox`. */
export interface OutboxOptions {
  outbox?: string
}

/** Options of `outbox` itself. */
export interface OutboxListOptions extends OutboxOptions {
  limit?: number
  failed?: boolean
}

/** Options of `outbox run`. */
export interface OutboxRunOptions extends OutboxOptions {
  untilEmpty?: boolean
  /** Time in ms for one answer. */
  timeout?: number
}

/** Lists the outbox. */
export async function listOutbox(context: Context, options: OutboxListOptions): Promise<void> {
  const { limit = DEFAULT_LIMIT, failed = false } = options
  const outbox = await Outbox.open({ dir: outboxDir(context, options.outbox) })
  const [all, { running }] = await Promise.all([outbox.list(), outbox.counts()])
  const wanted = failed ? all.filter(({ status }) => status === 'failed') : all
  const shown = limit === 0 ? wanted : wanted.slice(0, limit)
  const data = {
    entries: shown.map(recordOf),
    total: wanted.length,
    shown: shown.length,
    running,
    dir: outbox.dir,
  }
  context.output.result(data, () => {
    const isUnsent = !running && all.some(({ status }) => status !== 'failed')
    return [
      ...(shown.length > 0 ? [table(shown.map(rowOf)), ''] : []),
      `${plural(wanted.length, 'message')} in ${safeLine(outbox.dir)}${shown.length < wanted.length ? `, ${shown.length} shown` : ''}`,
      ...(isUnsent ? ['no process sends them: start pilot-dx serve, or pilot-dx outbox run'] : []),
    ].join('\n')
  })
}

/** Retries messages at once. */
export async function retryOutbox(context: Context, ids: readonly string[], dir?: string): Promise<void> {
  const outbox = await Outbox.open({ dir: outboxDir(context, dir) })
  const failed = async () => (await outbox.list()).filter(({ status }) => status === 'failed')
  const wanted = ids.length > 0 ? ids : (await failed()).map(({ id }) => id)
  for (const id of wanted) await outbox.retry(id)
  context.output.confirm({ retried: wanted }, () => `${plural(wanted.length, 'message')} will be retried`)
}

/** Removes queued messages. */
export async function cancelOutbox(context: Context, ids: readonly string[], dir?: string): Promise<void> {
  const outbox = await Outbox.open({ dir: outboxDir(context, dir) })
  const results: { id: string; maybe_stored: boolean }[] = []
  for (const id of ids) results.push({ id, maybe_stored: (await outbox.cancel(id)).maybeStored })
  context.output.confirm({ cancelled: results }, () =>
    results
      .map(({ id, maybe_stored: maybe }) => `removed ${safeLine(id)}${maybe ? ': the peer may have it' : ''}`)
      .join('\n'),
  )
}

/** Removes failed messages. */
export async function clearOutbox(context: Context, dir?: string): Promise<void> {
  const outbox = await Outbox.open({ dir: outboxDir(context, dir) })
  const cleared = await outbox.clearFailed()
  const { queued: remaining } = await outbox.counts()
  context.output.confirm(
    { cleared, remaining },
    () => `removed ${plural(cleared, 'message')}, ${remaining} left`,
  )
}

const DEFAULT_LIMIT = 20

function recordOf(entry: OutboxEntry): Record<string, unknown> {
  const {
    id,
    status,
    target,
    type,
    size: bytes,
    filename,
    path,
    replyTo,
    tries,
    maybeStored,
    lastError,
  } = entry
  return {
    id,
    status,
    target: target ?? null,
    type: type ?? null,
    bytes,
    ...(filename !== undefined && { filename }),
    ...(path !== undefined && { path }),
    ...(replyTo !== undefined && { reply_to: replyTo }),
    added_at: new Date(entry.addedAt).toISOString(),
    ...(entry.expiresAt !== undefined && { expires_at: new Date(entry.expiresAt).toISOString() }),
    tries,
    ...(entry.nextTryAt !== undefined && { next_try_at: new Date(entry.nextTryAt).toISOString() }),
    maybe_stored: maybeStored,
    ...(lastError !== undefined && {
      last_error: {
        code: lastError.code,
        message: lastError.message,
        at: new Date(lastError.at).toISOString(),
      },
    }),
  }
}

/** Columns: id, target, content, size, age, tries, state. */
function rowOf(entry: OutboxEntry): (string | number)[] {
  const { id, target, type, filename, size: bytes, addedAt, tries } = entry
  const what = filename === undefined ? (type ?? '-') : `${type} ${filename}`
  const age = durationText(Math.max(0, Date.now() - addedAt))
  const tried = tries === 0 ? 'not tried' : plural(tries, 'try').replace('trys', 'tries')
  return [safeLine(id), safeLine(target ?? '-'), safeLine(what), bytes, age, tried, safeLine(stateOf(entry))]
}

function stateOf({ status, nextTryAt, lastError }: OutboxEntry): string {
  const why = lastError === undefined ? '' : `: ${lastError.message}`
  if (status === 'waiting')
    return `again in ${durationText(Math.max(0, (nextTryAt ?? 0) - Date.now()))}${why}`
  return `${status}${why}`
}
