import type { Message } from 'pilot-dataexchange'
import type { AddOptions } from 'pilot-dataexchange/outbox'
import { type Context, outboxDir } from './context.ts'
import { CliError } from './errors.ts'
import { safeLine } from './safe-text.ts'

/** Options of the verbs that send. */
export interface QueueOptions {
  queue?: boolean
  /** Time in ms until the message expires. */
  expires?: number
  outbox?: string
}

/** A message for {@link queueMessage}. */
export interface Queued {
  target: string
  message: Message
  /** Number of copies. @default 1 */
  count?: number
  options?: AddOptions
  /** Additional fields of `--json`. */
  facts: Record<string, unknown>
}

/**
 * Refuses options that need `--queue` without it, and options that contradict it.
 *
 * @param others options, by name, that contradict `--queue`
 */
export function checkQueue(options: QueueOptions, others: Record<string, unknown>): void {
  if (options.queue) {
    const [other] = Object.keys(others).filter(name => others[name] !== undefined && others[name] !== false)
    if (other !== undefined)
      throw new CliError(`${other} does not go with --queue: the command does not wait`)
  } else if (options.expires !== undefined || options.outbox !== undefined) {
    throw new CliError(`${options.expires === undefined ? '--outbox' : '--expires'} goes with --queue`)
  }
}

/** Adds messages to the outbox. Prints their ids when they are durable. Needs no daemon. */
export async function queueMessage(
  context: Context,
  queueOptions: QueueOptions,
  { target, message, count = 1, options = {}, facts }: Queued,
): Promise<void> {
  const { output } = context
  // The outbox is loaded only here, because it is half of the command's code.
  const { Outbox } = await import('pilot-dataexchange/outbox')
  const outbox = await Outbox.open({ dir: outboxDir(context, queueOptions.outbox) })
  const ids: string[] = []
  const expiresIn = queueOptions.expires
  for (let i = 0; i < count; i++) {
    ids.push(
      await outbox.add(target, message, {
        ...options,
        ...(expiresIn !== undefined && { expiresInMs: expiresIn }),
      }),
    )
  }
  const { running } = await outbox.counts()
  const told = count > 1 ? { message_ids: ids } : { message_id: ids[0] }
  output.confirm({ target, ...facts, queued: true, ...told, running, outbox: outbox.dir }, () =>
    ids.map(id => `queued ${safeLine(id)}`).join('\n'),
  )
  if (!running) output.note('no process sends it yet: start pilot-dx serve, or pilot-dx outbox run')
}
