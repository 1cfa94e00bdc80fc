import type { Command } from 'commander'
import { act } from './action.ts'
import { examples } from './help.ts'

/** `pilot-dx status` */
export function addStatus(program: Command): void {
  program
    .command('status')
    .summary('tell what runs here and what has been received')
    .description(
      'Tells whether a daemon answers, who this node is, whether its data exchange answers, and what the ' +
        'folders hold. Exit code 3 where no daemon answers.',
    )
    .addHelpText('after', examples(['pilot-dx status', 'pilot-dx status --json']))
    .action((_options: unknown, command: Command) =>
      act(command, async context => {
        const { status } = await import('../commands/status.ts')
        await status(context)
      }),
    )
}
