import { type Command, Option } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import { atMost, count, orOff, part, positiveDuration, size } from '../shared/values.ts'
import type { ServeOptions } from './run.ts'

/** `pilot-dx serve` */
export function describeServe(verb: Command): void {
  verb
    .description(
      'Receives messages and files until Ctrl-C. Attaches to the Pilot daemon that answers on the socket; ' +
        'if none answers, starts an embedded one for this machine only.',
    )
    .option('--inbox <dir>', 'folder of the messages (default: inbox/ in the home folder)')
    .option('--received <dir>', 'folder of the files (default: received/ in the home folder)')
    .option('--outbox <dir>', 'folder of queued messages (default: outbox/ in the home folder)')
    .option('--no-outbox', 'do not send the outbox')
    .option('--include-base64', 'write data_b64 into every message')
    .option(
      '--inbox-max-files <n>',
      'messages kept; beyond it the oldest are removed (default: 10000)',
      count(1),
    )
    .option('--inbox-max-bytes <size>', 'bytes of messages kept, or off (default: 256MiB)', orOff(size))
    .addOption(
      new Option('--when-full <way>', 'beyond these limits, remove the oldest messages or refuse new ones')
        .choices(['evict', 'refuse'])
        .default('evict'),
    )
    .option('--inbox-share <part>', 'share of the inbox for one sender, such as 0.2 (default: 1)', part)
    .option('--received-max-bytes <size>', 'bytes of files kept, or off (default: 2GiB)', orOff(size))
    .option('--received-max-files <n>', 'files kept, or off (default: 200000)', orOff(count(1)))
    .option(
      '--partial-timeout <duration>',
      'time to keep an interrupted file for a resume, or off (default: 1h)',
      orOff(positiveDuration),
    )
    .option(
      '--idle-timeout <duration>',
      'close a connection after this time without a frame, or off (default: 2m)',
      orOff(positiveDuration),
    )
    .option(
      '--frame-timeout <duration>',
      'time for one frame, plus one second for every 4 KiB received, or off (default: 1m)',
      orOff(positiveDuration),
    )
    .option('--max-connections <n>', 'open connections (default: 1000)', count(1))
    .option('--max-connections-per-peer <n>', 'open connections of one peer (default: 64)', count(1))
    .option('--allow <who...>', 'addresses and networks (N:*) that may send (default: all)')
    .option('--deny <who...>', 'addresses and networks (N:*) that may not send')
    .option('--rate-frames <n>', 'frames a second that one peer may send (default: no limit)', count(1))
    .option('--rate-bytes <size>', 'bytes a second that one peer may send (default: no limit)', size)
    .option('--max-frame <size>', 'largest frame accepted (default: 256MiB)', size)
    .addOption(
      new Option(
        '--durability <level>',
        'what an ACK survives: full means a power cut, os the death of this process',
      )
        .choices(['full', 'os'])
        .default('full'),
    )
    .option(
      '--answer <command>',
      'answer requests (send-message --reply-on-conn) with the output of this command',
    )
    .option(
      '--answer-timeout <duration>',
      'time for one answer, at most 40s (default: 30s)',
      atMost(positiveDuration, '40s'),
    )
    .option('--no-unpack', 'keep folders as archives')
    .option('--hostname <name>', 'name of this node')
    .addOption(
      new Option('--log-level <level>', 'lines logged to stderr (default: info, warn with --quiet)').choices([
        'debug',
        'info',
        'warn',
        'error',
      ]),
    )
    .option('--embedded', 'start the embedded daemon, never attach')
    .addOption(new Option('--no-embedded', 'attach only: fail if no daemon answers'))
    .addHelpText(
      'after',
      `
The command of --answer is run by the shell, once for each request: its text on
stdin, the sender in PILOT_FROM, and the id of the request, where it has one, in
PILOT_MESSAGE_ID. Its stdout, at most 1 MiB of UTF-8, is the reply; its stderr
goes to the log. Where it fails, prints too much or takes too long, it is killed,
and the sender is told that there is no reply. At most 16 run at once, 4 for one
sender.
${examples([
  'pilot-dx serve',
  'pilot-dx serve --hostname alice --inbox ./inbox --received ./files',
  'pilot-dx serve --no-embedded --json',
  'pilot-dx serve --allow 0:0000.0000.0001 7:* --rate-frames 50 --inbox-share 0.2',
  "pilot-dx serve --answer 'tr a-z A-Z'",
])}`,
    )
    .action((_options: unknown, command: Command) =>
      act<ServeOptions>(command, async (context, options) => {
        const { serve } = await import('./run.ts')
        await serve(context, options)
      }),
    )
}
