import type { Message } from 'pilot-dataexchange'
import type { AddOptions } from 'pilot-dataexchange/outbox'
import { type Context, outboxDir } from './context.ts'
import { CliError } from './errors.ts'
import { safeLine } from './safe-text.ts'

/** Options of the verbs that send. */
export interface QueueOptions {
  queue?: boolean
  /** Milliseconds. */
  expires?: number
  outbox?: string
}

/** What {@link queueMessage} adds. */
export interface Queued {
  target: string
  message: Message
  /** How many times. @default 1 */
  count?: number
  options?: AddOptions
  /** What `--json` tells of it besides. */
  facts: Record<string, unknown>
}

/**
 * Refuses what makes no sense with `--queue`, and what makes none without.
 *
 * @param others options, by name, that ask for more than sending
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

/** Adds to the outbox, and tells the ids once the messages are durable. No daemon is asked for anything. */
export async function queueMessage(
  context: Context,
  queueOptions: QueueOptions,
  { target, message, count = 1, options = {}, facts }: Queued,
): Promise<void> {
  const { output } = context
  // With what it needs to send, which is half of what this command could load.
  const { Outbox } = await import('pilot-dataexchange/outbox')
  const outbox = await Outbox.open({ dir: outboxDir(context, queueOptions.outbox) })
  const ids: string[] = []
  const expiresIn = queueOptions.expires
  for (let i = 0; i < count; i++) {
    ids.push(await outbox.add(target, message, { ...options, ...(expiresIn !== undefined && { expiresIn }) }))
  }
  const { running } = await outbox.counts()
  const told = count > 1 ? { message_ids: ids } : { message_id: ids[0] }
  output.confirm({ target, ...facts, queued: true, ...told, running, outbox: outbox.dir }, () =>
    ids.map(id => `queued ${safeLine(id)}`).join('\n'),
  )
  if (!running) output.note('nobody sends it yet: start pilot-dx serve, or pilot-dx outbox run')
}
