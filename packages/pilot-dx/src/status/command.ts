import type { Command } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import type { StatusOptions } from './run.ts'

/** `pilot-dx status` */
export function describeStatus(verb: Command): void {
  verb
    .description(
      'Tells whether a daemon answers, who this node is, whether its data exchange answers, and what the ' +
        'folders hold. Exit code 3 where no daemon answers.',
    )
    .option('--limits', 'also the limits that an option sets, and their defaults; --json always has them')
    .addHelpText('after', examples(['pilot-dx status', 'pilot-dx status --limits', 'pilot-dx status --json']))
    .action((_options: unknown, command: Command) =>
      act<StatusOptions>(command, async (context, options) => {
        const { status } = await import('./run.ts')
        await status(context, options)
      }),
    )
}
