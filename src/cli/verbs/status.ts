import type { Command } from '../commander.ts'
import { act } from './action.ts'
import { examples } from './help.ts'

/** `pilot-dx status` */
export function describeStatus(verb: Command): void {
  verb
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
