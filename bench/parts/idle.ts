import { type Part, startLoad, startService } from '../bench.ts'
import { measure } from '../rounds.ts'
import type { Usage } from '../service-child.ts'
import { UNCAPPED } from '../service-options.ts'

const CONNECTIONS = 1_000
const MOST_ROUNDS = 3

/** Memory that a connection takes which says nothing. */
export const idle: Part = async function* (bench) {
  const sample = async (kind: 'full' | 'null', embedded: boolean) => {
    const options = { kind, dir: bench.scratch.folder(), embedded, cap: UNCAPPED }
    const { child, target } = await startService(bench, options, ['--expose-gc'])
    await using service = child
    await using load = await startLoad()
    const ask = () => service.ask<Usage>({ ask: 'usage' })
    // The first connections load code; that is not theirs.
    await load.ask({ do: 'idle', target, connections: 10 })
    const before = await ask()
    await load.ask({ do: 'idle', target, connections: CONNECTIONS })
    const after = await ask()
    const each = (bytes: 'rssBytes' | 'heapBytes') => (after[bytes] - before[bytes]) / CONNECTIONS / 1024
    return { rss: each('rssBytes'), heap: each('heapBytes') }
  }
  yield* await measure({
    id: 'idle',
    title: `memory of each of ${CONNECTIONS} idle connections`,
    metrics: { rss: { unit: 'KiB', title: 'in RAM' }, heap: { unit: 'KiB', title: 'in use by JavaScript' } },
    comparisons: [{ of: 'full', to: 'null' }],
    rounds: Math.min(bench.rounds, MOST_ROUNDS),
    contenders: [
      { name: 'full', sample: () => sample('full', false) },
      { name: 'null', sample: () => sample('null', false) },
      { name: 'full on the daemon', sample: () => sample('full', true) },
    ],
  })
}
