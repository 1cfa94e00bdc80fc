import { type Command, Option } from 'commander'
import type { InboxOptions } from '../commands/inbox.ts'
import { count, moment } from '../values.ts'
import { act } from './action.ts'
import { examples } from './help.ts'

/** `pilot-dx inbox` and `pilot-dx inbox read` */
export function addInbox(program: Command): void {
  const inbox = program
    .command('inbox')
    .summary('list, read, watch or clear the messages received')
    .description('Lists the messages received, newest first.')
    // What follows `read` is for it alone.
    .enablePositionalOptions()
    .option('--limit <n>', 'how many to list, 0 for all (default: 10)', count(0))
    .option('--from <address>', 'only from this address')
    .option('--since <when>', 'only those of the last 1h, or since a time in RFC 3339', moment)
    .addOption(new Option('--latest', 'only the newest one').conflicts('limit'))
    .option('--full', 'whole messages, not their beginnings')
    .addOption(
      new Option('--clear', 'remove all messages').conflicts(['limit', 'from', 'since', 'latest', 'full']),
    )
    .option('--before <when>', 'with --clear: only those older than 7d, or than a time in RFC 3339', moment)
    .addOption(
      new Option('--watch', 'print messages as they come, until Ctrl-C').conflicts([
        'clear',
        'limit',
        'since',
        'latest',
      ]),
    )
    .option('--dir <dir>', 'the folder (default: inbox/ in the home folder)')
    .addHelpText(
      'after',
      examples([
        'pilot-dx inbox',
        'pilot-dx inbox --from 0:0000.0000.0001 --since 1h --full',
        'pilot-dx inbox read TEXT-20260131-120000.000-000001 > message.txt',
        'pilot-dx inbox --watch --json',
        'pilot-dx inbox --clear --before 7d',
      ]),
    )
    .action((_options: unknown, command: Command) =>
      act<InboxOptions>(command, async (context, options) => {
        const { inbox } = await import('../commands/inbox.ts')
        await inbox(context, options)
      }),
    )

  inbox
    .command('read')
    .summary('print one message')
    .description('Prints the data of one message, byte for byte; on a terminal, made safe to look at.')
    .argument('<id>', 'id of the message, as inbox lists it')
    .option('--dir <dir>', 'the folder (default: inbox/ in the home folder)')
    .addHelpText(
      'after',
      examples([
        'pilot-dx inbox read TEXT-20260131-120000.000-000001',
        'pilot-dx inbox read BINARY-20260131-120000.000-000002 > data.bin',
      ]),
    )
    .action((id: string, _options: unknown, command: Command) =>
      act<{ dir?: string }>(command, async (context, options) => {
        const { readInbox } = await import('../commands/inbox-read.ts')
        await readInbox(context, id, { dir: options.dir ?? inbox.opts<InboxOptions>().dir })
      }),
    )
}
