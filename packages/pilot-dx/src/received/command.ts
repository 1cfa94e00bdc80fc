import { type Command, Option } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import { count, moment } from '../shared/values.ts'
import type { ReceivedOptions } from './run.ts'

/** `pilot-dx received` */
export function describeReceived(verb: Command): void {
  verb
    .description('Lists received files and folders, newest first. Folders end in a slash.')
    .option('--limit <n>', 'number to list, 0 for all (default: 10)', count(0))
    .option('--since <when>', 'only the last 1h, or since a time in RFC 3339', moment)
    .option('--full', 'also the sender, the original name and the SHA-256')
    .addOption(
      new Option('--clear', 'remove all files, partial ones too').conflicts(['limit', 'since', 'full']),
    )
    .option('--before <when>', 'with --clear: only items older than 7d, or than a time in RFC 3339', moment)
    .addOption(
      new Option('--watch', 'print files as they arrive, until Ctrl-C').conflicts([
        'clear',
        'limit',
        'since',
      ]),
    )
    .option('--dir <dir>', 'the folder (default: received/ in the home folder)')
    .addHelpText(
      'after',
      examples([
        'pilot-dx received --limit 0',
        'pilot-dx received --full',
        'pilot-dx received --since 2026-01-31T00:00:00Z --json',
        'pilot-dx received --watch',
        'pilot-dx received --clear --before 30d',
      ]),
    )
    .action((_options: unknown, command: Command) =>
      act<ReceivedOptions>(command, async (context, options) => {
        const { received } = await import('./run.ts')
        await received(context, options)
      }),
    )
}
