import { LIMITS } from '#lib/limits.js'
import type { Bench, Part } from '../bench.ts'
import { COMPARISONS, type Field, withServices } from '../contenders.ts'
import type { Figure } from '../report.ts'
import { figuresOf, measure } from '../rounds.ts'

/** How many connections, frames in flight on each, and bytes of payload. */
export interface Workload {
  readonly connections: number
  readonly window: number
  readonly size: number
}

export const SMALL = 100
const SIXTY_FOUR_KIB = 64 * 1024
export const WORKLOADS: readonly Workload[] = [
  { connections: 1, window: 1, size: SMALL },
  { connections: 1, window: 64, size: SMALL },
  { connections: 8, window: 8, size: SMALL },
  { connections: 64, window: 1, size: SMALL },
  { connections: 8, window: 8, size: SIXTY_FOUR_KIB },
]
const CAP = LIMITS.inboxMaxFiles.value
/** Bytes that one slice stores at most, so that a fast disk does not fill. */
const MOST_BYTES = 32 * 1024 * 1024
const MOST_MESSAGES = 5_000

/** Messages a second, at each way of sending, on a bare socket and through the embedded daemon. */
export const service: Part = async function* (bench) {
  const bare: Field = { kinds: ['full', 'os', 'plain', 'synced', 'null'], withAgainst: true }
  const embedded: Field = { kinds: ['full', 'os', 'null'], embedded: true }
  for (const workload of WORKLOADS) {
    if (!bench.wantsSize(workload.size)) continue
    yield* rates(bench, 'bare', 'bare socket', bare, workload)
    yield* rates(bench, 'embedded', 'embedded daemon', embedded, workload)
  }
}

/** The same with an inbox that is full: each message makes the oldest go. */
export const cap: Part = async function* (bench) {
  const bare: Field = { kinds: ['full', 'os', 'plain', 'synced'], filled: CAP, capped: true }
  const embedded: Field = { kinds: ['full', 'os'], embedded: true, filled: CAP, capped: true }
  for (const workload of WORKLOADS) {
    if (workload.size !== SMALL || !bench.wantsSize(SMALL)) continue
    yield* rates(bench, 'cap', 'bare socket, inbox at its cap', bare, workload)
    if (workload.connections === 8)
      yield* rates(bench, 'embedded-cap', 'embedded daemon, inbox at its cap', embedded, workload)
  }
}

async function* rates(
  bench: Bench,
  id: string,
  title: string,
  field: Field,
  { connections, window, size }: Workload,
): AsyncGenerator<Figure> {
  const most = Math.min(MOST_MESSAGES, Math.floor(MOST_BYTES / size))
  yield* await withServices(bench, field, async visitors => {
    const measurement = {
      id: `service/${id}/${connections}x${window}-${size}`,
      title: `${title}, ${connections} x ${window}, ${size} bytes`,
      comparisons: COMPARISONS,
      rounds: bench.rounds,
    }
    const figures = await measure({
      ...measurement,
      metrics: { rate: { unit: 'messages/s' }, cpu: { unit: 'us/message', title: 'processor time' } },
      contenders: visitors.map(visitor =>
        visitor.contender(async () => {
          const { rate, cpu } = await visitor.visit(connections, { size, window, ms: bench.ms, most })
          return { rate, ...(cpu !== undefined && { cpu }) }
        }),
      ),
    })
    const peaks = new Map<string, { peak: number }[]>()
    for (const visitor of visitors) {
      const usage = await visitor.usage()
      if (usage !== undefined) peaks.set(visitor.name, [{ peak: usage.peakMiB }])
    }
    const metrics = { peak: { unit: 'MiB', title: 'peak memory' } } as const
    return [...figures, ...figuresOf({ ...measurement, metrics }, peaks)]
  })
}
