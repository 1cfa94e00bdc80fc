import { InboxConsumer } from 'pilot-dataexchange/mailbox'
import { type Context, inboxDir } from '../shared/context.ts'
import { CliError, ExitCode } from '../shared/errors.ts'
import { durationText, plural } from '../shared/format.ts'
import { safeLine } from '../shared/safe-text.ts'
import { fullText, listText, messageData } from './list.ts'

/** Options of `inbox` for workers. Durations in ms. */
export interface WorkOptions {
  next?: boolean
  /** True: waits without a limit. */
  wait?: number | true
  lease?: number
  ack?: string
  remove?: boolean
  nack?: string
  delay?: number
  dead?: boolean
  group?: string
  full?: boolean
  dir?: string
}

/** True if `options` ask for an action of {@link workInbox}. */
export function isWork({ next, ack, nack, dead }: WorkOptions): boolean {
  return next !== undefined || ack !== undefined || nack !== undefined || dead !== undefined
}

/** Leases the next message, acknowledges one, gives one back, or lists the dead letters. */
export async function workInbox(context: Context, options: WorkOptions): Promise<void> {
  const { lease: leaseMs, group, remove } = options
  const onDamaged = ({ id, damaged }: { id: string; damaged: string }) =>
    context.output.note(`the message ${safeLine(id)} is damaged: ${safeLine(damaged)}`)
  const consumer = await InboxConsumer.open({
    dir: inboxDir(context, options.dir),
    onDamaged,
    ...(group !== undefined && { group }),
    ...(leaseMs !== undefined && { leaseMs }),
    ...(remove !== undefined && { remove }),
  })
  if (options.ack !== undefined) await ack(context, consumer, idOf(options.ack))
  else if (options.nack !== undefined) await nack(context, consumer, idOf(options.nack), options.delay)
  else if (options.dead) await dead(context, consumer, options.full)
  else await next(context, consumer, options)
}

async function next(
  { output }: Context,
  consumer: InboxConsumer,
  { wait, full }: WorkOptions,
): Promise<void> {
  const waitMs = wait === true ? Number.POSITIVE_INFINITY : (wait ?? 0)
  const message = await consumer.next({ waitMs })
  if (message === undefined) throw nothing(consumer, wait)
  const { attempt, leaseUntil } = message
  const data = {
    ...messageData(message, true),
    group: consumer.group,
    attempt,
    lease_until: new Date(leaseUntil).toISOString(),
  }
  output.result(data, () => {
    if (output.quiet) return safeLine(message.id)
    return full ? fullText(message) : listText([message])
  })
}

async function ack({ output }: Context, consumer: InboxConsumer, id: string): Promise<void> {
  if (!(await consumer.ack(id))) throw unknown(consumer, id)
  output.confirm({ id, group: consumer.group, acknowledged: true }, () => `acknowledged ${safeLine(id)}`)
}

async function nack(
  { output }: Context,
  consumer: InboxConsumer,
  id: string,
  delayMs?: number,
): Promise<void> {
  if (!(await consumer.nack(id, delayMs))) throw unknown(consumer, id)
  output.confirm({ id, group: consumer.group, given_back: true }, () => `given back ${safeLine(id)}`)
}

async function dead({ output }: Context, consumer: InboxConsumer, full?: boolean): Promise<void> {
  const { dir, group } = consumer
  const messages = await consumer.dead()
  const total = messages.length
  const data = { messages: messages.map(message => messageData(message, full)), total, group, dir }
  output.result(data, () => {
    const footer = `${plural(total, 'message')} of the group ${group} that are dead letters, in ${safeLine(dir)}`
    return [full ? messages.map(fullText).join('\n\n') : listText(messages), footer]
      .filter(text => text !== '')
      .join('\n\n')
  })
}

/** Accepts an id with or without the suffix of its file. */
function idOf(text: string): string {
  return text.replace(/\.json$/, '')
}

function nothing({ group }: InboxConsumer, wait: number | true | undefined): CliError {
  if (typeof wait !== 'number') {
    return new CliError(`there is no message for the group ${group}`, {
      exitCode: ExitCode.Failed,
      envelopeCode: 'not_found',
      hint: 'with --wait it waits for one',
    })
  }
  return new CliError(`no message came for the group ${group} in ${durationText(wait)}`, {
    exitCode: ExitCode.TimedOut,
    envelopeCode: 'timeout',
  })
}

function unknown({ group }: InboxConsumer, id: string): CliError {
  return new CliError(`the group ${group} has no message ${JSON.stringify(id)}`, {
    envelopeCode: 'not_found',
    hint: 'pilot-dx inbox lists the ids; one that is acknowledged is not given back',
  })
}
