import { type Command, Option } from 'commander'
import type { ServeOptions } from '../commands/serve.ts'
import { count, orOff, positiveDuration, size } from '../values.ts'
import { act } from './action.ts'
import { examples } from './help.ts'

/** `pilot-dx serve` */
export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('receive messages and files')
    .description(
      'Receives messages and files until Ctrl-C. Attaches to the Pilot daemon that answers on the socket; ' +
        'where none does, starts an embedded one, for this machine only.',
    )
    .option('--inbox <dir>', 'folder of the messages (default: inbox/ in the home folder)')
    .option('--received <dir>', 'folder of the files (default: received/ in the home folder)')
    .option('--include-base64', 'write data_b64 into every message')
    .option('--inbox-max-files <n>', 'messages kept; past that the oldest go (default: 10000)', count(1))
    .option('--inbox-max-bytes <size>', 'bytes of messages kept, or off (default: 256MiB)', orOff(size))
    .option('--received-max-bytes <size>', 'bytes of files kept, or off (default: 2GiB)', orOff(size))
    .option(
      '--idle-timeout <duration>',
      'close a connection without a frame for so long, or off (default: 2m)',
      orOff(positiveDuration),
    )
    .option('--max-frame <size>', 'largest frame accepted (default: 256MiB)', size)
    .addOption(
      new Option(
        '--durability <level>',
        'what an ACK survives: full, a power cut; os, the death of this process',
      )
        .choices(['full', 'os'])
        .default('full'),
    )
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
    .addOption(new Option('--no-embedded', 'attach only: fail where no daemon answers'))
    .addHelpText(
      'after',
      examples([
        'pilot-dx serve',
        'pilot-dx serve --hostname alice --inbox ./inbox --received ./files',
        'pilot-dx serve --no-embedded --json',
      ]),
    )
    .action((_options: unknown, command: Command) =>
      act<ServeOptions>(command, async (context, options) => {
        const { serve } = await import('../commands/serve.ts')
        await serve(context, options)
      }),
    )
}
