import type { Part } from '../bench.ts'
import { withServices } from '../contenders.ts'
import { measure } from '../rounds.ts'

const WAYS = [
  { connections: 8, window: 8, size: 100 },
  { connections: 64, window: 1, size: 100 },
  { connections: 8, window: 8, size: 64 * 1024 },
] as const
const MOST_BYTES = 32 * 1024 * 1024
const MOST_MESSAGES = 5_000

/** The longest turn of the event loop under load: for so long nobody else is served. A millisecond of it is the clock's. */
export const eventLoop: Part = async function* (bench) {
  for (const { connections, window, size } of WAYS) {
    if (!bench.wantsSize(size)) continue
    yield* await withServices(bench, { kinds: ['full', 'os', 'null'] }, visitors =>
      measure({
        id: `loop/${connections}x${window}-${size}`,
        title: `turns of the event loop, ${connections} x ${window}, ${size} bytes`,
        metrics: { longest: { unit: 'ms', title: 'longest' }, p99: { unit: 'ms', title: 'p99' } },
        comparisons: [],
        rounds: bench.rounds,
        contenders: visitors.map(visitor =>
          visitor.contender(async () => {
            await visitor.watch()
            const most = Math.min(MOST_MESSAGES, Math.floor(MOST_BYTES / size))
            await visitor.visit(connections, { size, window, ms: bench.ms, most })
            const usage = await visitor.usage()
            return { ...usage!.turnMs }
          }),
        ),
      }),
    )
  }
}
