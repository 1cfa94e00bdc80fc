import type { Command } from '../commander.ts'
import { act } from '../shared/action.ts'
import { examples } from '../shared/help.ts'
import { count, duration, positiveDuration, size } from '../shared/values.ts'
import type { TraceOptions } from './run.ts'

/** `pilot-dx trace` */
export function describeTrace(verb: Command): void {
  verb
    .description(
      'Sends probes and prints the duration of each leg. A probe is a message: each one is stored ' +
        'in the peer’s inbox.',
    )
    .argument('<target>', 'address, node id or hostname')
    .option('--count <n>', 'how many probes', count(1), 10)
    .option('--interval <duration>', 'time between two probes (default: 0s)', duration)
    .option('--size <size>', 'bytes of each probe (default: 64)', size)
    .option('--timeout <duration>', 'time for the answer to one probe (default: 30s)', positiveDuration)
    .addHelpText(
      'after',
      examples([
        'pilot-dx trace 0:0000.0000.0001',
        'pilot-dx trace alice --count 100 --size 64KiB',
        'pilot-dx trace alice --interval 1s --json',
      ]),
    )
    .action((target: string, _options: unknown, command: Command) =>
      act<TraceOptions>(command, async (context, options) => {
        const { trace } = await import('./run.ts')
        await trace(context, target, options)
      }),
    )
}
