import type { Part } from '../bench.ts'
import { COMPARISONS, withServices } from '../contenders.ts'
import { measure } from '../rounds.ts'

const SIZE = 100
const MOST_MESSAGES = 5_000
const WAYS = [
  { id: '1x1', title: '1 connection, one at a time', connections: 1, window: 1 },
  { id: '8x8', title: '8 connections, 8 in flight on each', connections: 8, window: 8 },
  { id: 'paced', title: '500 messages a second over 8 connections', connections: 8, window: 1, rate: 500 },
] as const

/** From the sending of a frame to its answer. */
export const latency: Part = async function* (bench) {
  if (!bench.wantsSize(SIZE)) return
  for (const { id, title, connections, ...way } of WAYS) {
    const kinds = ['full', 'os', 'plain', 'synced', 'null'] as const
    yield* await withServices(bench, { kinds, withAgainst: true }, visitors =>
      measure({
        id: `latency/${id}`,
        title: `latency, ${title}, ${SIZE} bytes`,
        metrics: {
          p50: { unit: 'ms', title: 'p50' },
          p99: { unit: 'ms', title: 'p99' },
          p999: { unit: 'ms', title: 'p99.9' },
        },
        comparisons: COMPARISONS,
        rounds: bench.rounds,
        contenders: visitors.map(visitor =>
          visitor.contender(async () => {
            const request = { size: SIZE, ms: bench.ms, most: MOST_MESSAGES, ...way }
            const { p50, p99, p999 } = await visitor.visit(connections, request)
            return { p50, p99, p999 }
          }),
        ),
      }),
    )
  }
}
