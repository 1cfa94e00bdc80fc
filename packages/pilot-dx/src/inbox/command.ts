import { type Command, Option } from '../commander.ts'
import { act } from '../shared/action.ts'
import { CliError } from '../shared/errors.ts'
import { examples } from '../shared/help.ts'
import { count, duration, moment, positiveDuration } from '../shared/values.ts'
import type { InboxOptions } from './list.ts'
import type { WorkOptions } from './work.ts'

/** `pilot-dx inbox` and `pilot-dx inbox read` */
export function describeInbox(inbox: Command): void {
  inbox
    .description('Lists received messages, newest first; or leases them, each to one worker.')
    // Arguments after `read` belong to it alone.
    .enablePositionalOptions()
    .option('--limit <n>', 'number to list, 0 for all (default: 10)', count(0))
    .option('--from <address>', 'only from this address')
    .option('--since <when>', 'only the last 1h, or since a time in RFC 3339', moment)
    .addOption(new Option('--latest', 'only the newest one').conflicts('limit'))
    .option('--full', 'whole messages instead of previews')
    .addOption(
      new Option('--clear', 'remove all messages').conflicts(['limit', 'from', 'since', 'latest', 'full']),
    )
    .option('--before <when>', 'with --clear: only items older than 7d, or than a time in RFC 3339', moment)
    .addOption(
      new Option('--watch', 'print messages as they arrive, until Ctrl-C').conflicts([
        'clear',
        'limit',
        'since',
        'latest',
      ]),
    )
    .addOption(new Option('--next', 'lease the oldest message that no worker has').conflicts(LISTING))
    .option('--wait [duration]', 'with --next: wait for a message, for 30s, or without a limit', duration)
    .option(
      '--lease <duration>',
      'with --next: time for which no other worker gets it (default: 1m)',
      positiveDuration,
    )
    .addOption(new Option('--ack <id>', 'acknowledge this message').conflicts([...LISTING, 'next']))
    .option('--remove', 'with --ack: remove it from the inbox as well')
    .addOption(
      new Option('--nack <id>', 'give this message back, also a dead one').conflicts([
        ...LISTING,
        'next',
        'ack',
      ]),
    )
    .option('--delay <duration>', 'with --nack: time until it is leased again (default: at once)', duration)
    .addOption(
      new Option(
        '--dead',
        'list the dead letters: messages leased five times and never acknowledged',
      ).conflicts([...LISTING, 'next', 'ack', 'nack']),
    )
    .option('--group <name>', 'the workers who share the messages (default: default)')
    .option('--dir <dir>', 'the folder (default: inbox/ in the home folder)')
    .addHelpText('after', WORK_HELP)
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
      act<InboxOptions & WorkOptions>(command, async (context, options) => {
        checkCompany(options)
        const { isWork, workInbox } = await import('./work.ts')
        if (isWork(options)) return workInbox(context, options)
        const { inbox } = await import('./list.ts')
        await inbox(context, options)
      }),
    )

  inbox
    .command('read')
    .summary('print one message')
    .description('Prints the data of one message, byte for byte. On a terminal, makes it safe to look at.')
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
        const { readInbox } = await import('./read.ts')
        await readInbox(context, id, { dir: options.dir ?? inbox.opts<InboxOptions>().dir })
      }),
    )
}

const LISTING = ['limit', 'from', 'since', 'latest', 'clear', 'before', 'watch']

/** The option that each option requires. */
const COMPANY: readonly (readonly [option: keyof WorkOptions, of: readonly (keyof WorkOptions)[]])[] = [
  ['wait', ['next']],
  ['lease', ['next']],
  ['remove', ['ack']],
  ['delay', ['nack']],
  ['group', ['next', 'ack', 'nack', 'dead']],
]

function checkCompany(options: WorkOptions): void {
  for (const [option, of] of COMPANY) {
    if (options[option] === undefined || of.some(name => options[name] !== undefined)) continue
    throw new CliError(`--${option} goes with ${of.map(name => `--${name}`).join(' or ')}`)
  }
}

const WORK_HELP = `
--next hands a message to one worker of a group for the time of the lease; one that is not
acknowledged by then comes again, and is dead after five times. Exit codes of --next: 1 where there is
no message, 5 where none came in the time of --wait. With --quiet it prints the id alone:

  while id=$(pilot-dx inbox --next --wait --quiet); do
    if pilot-dx inbox read "$id" | ./handle; then pilot-dx inbox --ack "$id"
    else pilot-dx inbox --nack "$id" --delay 30s; fi
  done`
