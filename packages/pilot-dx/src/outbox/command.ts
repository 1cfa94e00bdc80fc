import { type Command, Option } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import { count, positiveDuration } from '../shared/values.ts'
import type { OutboxListOptions, OutboxOptions, OutboxRunOptions } from './list.ts'

/** `pilot-dx outbox` and its subcommands */
export function describeOutbox(outbox: Command): void {
  outbox
    .description(
      'Lists the undelivered messages of send-message --queue and send-file --queue, oldest first. ' +
        'serve sends it.',
    )
    // Arguments after a subcommand belong to it alone.
    .enablePositionalOptions()
    .option('--limit <n>', 'number to list, 0 for all (default: 20)', count(0))
    .option('--failed', 'only failed messages')
    .option('--outbox <dir>', DIR)
    .addHelpText(
      'after',
      examples([
        'pilot-dx outbox',
        'pilot-dx outbox --failed --json',
        'pilot-dx outbox retry',
        'pilot-dx outbox run --until-empty --timeout 10m',
      ]),
    )
    .action((_options: unknown, command: Command) =>
      act<OutboxListOptions>(command, async (context, options) => {
        const { listOutbox } = await import('./list.ts')
        await listOutbox(context, options)
      }),
    )
  const dirOf = (options: OutboxOptions) => options.outbox ?? outbox.opts<OutboxOptions>().outbox

  outbox
    .command('retry')
    .summary('retry messages at once, also failed ones')
    .description('Retries messages at once. Failed messages get their whole time again.')
    .argument('[id...]', 'ids of messages (default: all failed ones)')
    .option('--outbox <dir>', DIR)
    .addHelpText('after', examples(['pilot-dx outbox retry', `pilot-dx outbox retry ${EXAMPLE_ID}`]))
    .action((ids: string[], _options: unknown, command: Command) =>
      act<OutboxOptions>(command, async (context, options) => {
        const { retryOutbox } = await import('./list.ts')
        await retryOutbox(context, ids, dirOf(options))
      }),
    )
  outbox
    .command('cancel')
    .summary('remove queued messages')
    .description(
      'Removes messages that are not delivered; one that is being sent is given up. Tells of each whether the ' +
        'peer may have it all the same.',
    )
    .argument('<id...>', 'ids of messages')
    .option('--outbox <dir>', DIR)
    .addHelpText('after', examples([`pilot-dx outbox cancel ${EXAMPLE_ID}`]))
    .action((ids: string[], _options: unknown, command: Command) =>
      act<OutboxOptions>(command, async (context, options) => {
        const { cancelOutbox } = await import('./list.ts')
        await cancelOutbox(context, ids, dirOf(options))
      }),
    )
  outbox
    .command('clear')
    .summary('remove failed messages')
    .description('Removes all failed messages. Queued messages stay.')
    .option('--outbox <dir>', DIR)
    .addHelpText('after', examples(['pilot-dx outbox clear']))
    .action((_options: unknown, command: Command) =>
      act<OutboxOptions>(command, async (context, options) => {
        const { clearOutbox } = await import('./list.ts')
        await clearOutbox(context, dirOf(options))
      }),
    )
  outbox
    .command('run')
    .summary('send the outbox without receiving')
    .description(
      'Sends the outbox until Ctrl-C, through the Pilot daemon that answers on the socket, now or later. If ' +
        'another process, such as serve, sends it already, waits for that process to end.',
    )
    .option('--outbox <dir>', DIR)
    .option('--until-empty', 'end when the outbox is empty; exit code 1 if messages have failed')
    .addOption(
      new Option('--timeout <duration>', 'with --until-empty: give up after that (default: never)').argParser(
        positiveDuration,
      ),
    )
    .addHelpText(
      'after',
      examples(['pilot-dx outbox run', 'pilot-dx outbox run --until-empty --timeout 10m']),
    )
    .action((_options: unknown, command: Command) =>
      act<OutboxRunOptions>(command, async (context, options) => {
        const { runOutbox } = await import('./run.ts')
        await runOutbox(context, { ...options, outbox: dirOf(options) })
      }),
    )
}

const DIR = 'the folder (default: outbox/ in the home folder)'
const EXAMPLE_ID = '4b1c9f0e2d7a48f3a6b5c4d3e2f10a9b'
