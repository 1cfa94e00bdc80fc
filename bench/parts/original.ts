import { LIMITS } from '#lib/limits.js'
import { type Bench, type Part, startLoad, startService } from '../bench.ts'
import { Child } from '../child.ts'
import { AsyncDisposableList } from '../disposable-list.ts'
import { fillInbox } from '../fill-inbox.ts'
import type { LoadResult } from '../load.ts'
import type { OriginalOptions } from '../original-child.ts'
import type { Figure } from '../report.ts'
import { type Contender, measure } from '../rounds.ts'
import type { Usage } from '../service-child.ts'
import { type Kind, UNCAPPED } from '../service-options.ts'
import type { Target } from '../target.ts'
import { SMALL, WORKLOADS, type Workload } from './service.ts'

/** Its service cannot be had without its daemon: ours are attached to the same daemon, without that service. */
const THEIRS = 'original'
const OURS: readonly Kind[] = ['full', 'os', 'null']
const CAP = LIMITS.inboxMaxFiles.value
/** In all rounds together, so that an inbox that is to stay below its caps does. */
const MOST_MESSAGES = CAP * 0.9
const MOST_BYTES = LIMITS.inboxMaxBytes.value * 0.6

/** Messages a second on the original's daemon, with its own service and with ours. */
export const original: Part = async function* (bench) {
  if (bench.original === undefined) {
    console.log('the original: not measured, --original names no folder with its programs\n')
    return
  }
  // The part that deletes many files runs last, see `deletionsSlowCreations`.
  for (const isFull of [false, true]) {
    for (const workload of WORKLOADS) {
      if (!bench.wantsSize(workload.size) || (isFull && workload.size !== SMALL)) continue
      yield* rates(bench, { programs: bench.original, isFull }, workload)
    }
  }
}

interface Place {
  readonly programs: string
  /** Whether the inbox is at its cap. */
  readonly isFull: boolean
}

async function* rates(
  bench: Bench,
  place: Place,
  { connections, window, size }: Workload,
): AsyncGenerator<Figure> {
  const most = Math.floor(Math.min(MOST_MESSAGES, MOST_BYTES / size) / (bench.rounds + 1))
  await using held = new AsyncDisposableList()
  const load = held.use(await startLoad())
  const sample = async ({ target, cpuMs }: Node): Promise<Record<string, number>> => {
    const before = await cpuMs()
    const request = { do: 'load', target, connections, size, window, ms: bench.ms, most }
    const { rate, messages } = await load.ask<LoadResult>(request)
    return { rate, cpu: (((await cpuMs()) - before) * 1000) / messages }
  }
  const contenders: Contender[] = []
  for (const kind of [THEIRS, ...OURS] as const) {
    const node = await startNode(bench, place, kind, held)
    contenders.push({ name: kind, sample: () => sample(node) })
  }
  yield* await measure({
    id: `original/${place.isFull ? 'cap' : 'empty'}/${connections}x${window}-${size}`,
    title: `the original's daemon${place.isFull ? ', inbox at its cap' : ''}, ${connections} x ${window}, ${size} bytes`,
    comparisons: OURS.map(of => ({ of, to: THEIRS })),
    rounds: bench.rounds,
    metrics: {
      rate: { unit: 'messages/s' },
      cpu: { unit: 'us/message', title: 'processor time, with the daemon' },
    },
    contenders,
  })
}

interface Node {
  readonly target: Target
  /** Processor time of all that serves it. */
  readonly cpuMs: () => Promise<number>
}

async function startNode(
  bench: Bench,
  { programs, isFull }: Place,
  kind: typeof THEIRS | Kind,
  held: AsyncDisposableList,
): Promise<Node> {
  const home = bench.scratch.folder()
  const socket = bench.scratch.socket()
  const dir = `${home}/.pilot`
  if (isFull && kind !== 'null') fillInbox(dir, CAP)
  const options: OriginalOptions = { programs, home, socket, service: kind === THEIRS }
  const [daemon, target] = await Child.startIsolated<Target>('original-child.js', options)
  held.use(daemon)
  const daemonMs = () => daemon.ask<number>({})
  if (kind === THEIRS) return { target, cpuMs: daemonMs }
  const cap = isFull ? CAP : UNCAPPED
  const { child } = await startService(bench, { kind, dir, socket, embedded: false, attached: true, cap })
  held.use(child)
  const cpuMs = async () => (await daemonMs()) + (await child.ask<Usage>({ ask: 'usage' })).cpuMs
  return { target, cpuMs }
}
