import type { Command } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import type { StatusOptions } from './run.ts'

/** `pilot-dx status` */
export function describeStatus(verb: Command): void {
  verb
    .description(
      'Prints whether a daemon answers, the address of this node, whether its data exchange answers, and the ' +
        'content of the folders. Exit code 3 if no daemon answers.',
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
