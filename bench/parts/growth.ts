import { type Part, type RunningService, startLoad, startService } from '../bench.ts'
import { Visitor } from '../contenders.ts'
import { fillInbox } from '../fill-inbox.ts'
import { figuresOf, measure } from '../rounds.ts'
import { UNCAPPED } from '../service-options.ts'

const COUNTS = [0, 1_000, 10_000, 100_000]
const KINDS = ['full', 'os', 'plain'] as const
const MOST_MESSAGES = 2_000

/** The cost of a message and the duration of a start, by the number of messages in the inbox. */
export const growth: Part = async function* (bench) {
  if (!bench.wantsSize(100)) return
  for (const kind of KINDS) {
    await using load = await startLoad()
    const services: RunningService[] = []
    const folders: string[] = []
    try {
      const visitors: Visitor[] = []
      const starts = new Map<string, { start: number }[]>()
      for (const count of COUNTS) {
        const dir = bench.scratch.folder()
        folders.push(dir)
        fillInbox(dir, count)
        const service = await startService(bench, { kind, dir, embedded: false, cap: UNCAPPED })
        services.push(service)
        visitors.push(new Visitor(String(count), load, service.target, service))
        starts.set(String(count), [{ start: service.startMs }])
      }
      const comparisons = COUNTS.slice(1).map(count => ({ of: String(count), to: '0' }))
      yield* await measure({
        comparisons,
        id: `growth/${kind}`,
        title: `${kind}, by messages in the inbox, 8 x 8, 100 bytes`,
        metrics: { rate: { unit: 'messages/s' }, cpu: { unit: 'us/message', title: 'processor time' } },
        rounds: bench.rounds,
        contenders: visitors.map(visitor =>
          visitor.contender(async () => {
            const request = { size: 100, window: 8, ms: bench.ms, most: MOST_MESSAGES }
            const { rate, cpu = Number.NaN } = await visitor.visit(8, request)
            return { rate, cpu }
          }),
        ),
      })
      if (kind !== 'plain') {
        const metrics = { start: { unit: 'ms' } } as const
        const title = `${kind}, start by messages in the inbox`
        yield* figuresOf({ comparisons, id: `growth/${kind}`, title, metrics }, starts)
      }
    } finally {
      for (const { child } of services) await child[Symbol.asyncDispose]()
      for (const dir of folders) bench.scratch.release(dir)
    }
  }
}
