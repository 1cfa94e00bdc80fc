// Run by scripts/run-guard.js, `node guard.js [tries]`: the service against the plainest thing that does the same, in
// the same run. A bound that is broken in every try is a failure. Prints what was found as one line of JSON.
import type { Bench } from './bench.ts'
import { withServices } from './contenders.ts'
import { GUARD_RUNS, type GuardRun } from './guard-bounds.ts'
import { measure } from './rounds.ts'
import { Scratch } from './scratch.ts'

const CONNECTIONS = 8
/** So few that a round is short: noise then meets all contenders alike. */
const LOAD = { size: 100, window: 8, ms: 10_000, most: 400 }
const ROUNDS = 7

/** One ratio, and what it was made of. */
interface Found {
  readonly what: string
  readonly ratio: number
  readonly most: number
  /** Microseconds a message. */
  readonly cost: number
}

const tries = Number(process.argv[2] ?? 3)
const results: Found[][] = []
for (const run of GUARD_RUNS) results.push(await tryRun(run))
const found = results.flat()
console.log(JSON.stringify({ passed: found.every(isWithin), found }))

async function tryRun(run: GuardRun): Promise<Found[]> {
  let latest: Found[] = []
  for (let attempt = 0; attempt < tries; attempt++) {
    latest = await ratios(run)
    if (latest.every(isWithin)) break
  }
  return latest
}

function isWithin({ ratio, most }: Found): boolean {
  return ratio <= most
}

async function ratios({ dir, of, to, bounds }: GuardRun): Promise<Found[]> {
  using scratch = new Scratch(dir)
  const settings = { rounds: ROUNDS, ms: LOAD.ms, against: undefined, original: undefined, quick: true }
  const bench: Bench = { ...settings, scratch, wantsSize: () => true }
  const figures = await withServices(bench, { kinds: [of, to] }, visitors =>
    measure({
      id: 'guard',
      title: 'guard',
      metrics: { time: { unit: 'us/message' }, cpu: { unit: 'us/message' } },
      comparisons: [{ of, to }],
      rounds: ROUNDS,
      contenders: visitors.map(visitor =>
        visitor.contender(async () => {
          const { rate, cpu = Number.NaN } = await visitor.visit(CONNECTIONS, LOAD)
          return { time: 1e6 / rate, cpu }
        }),
      ),
    }),
  )
  return bounds.map(({ metric, most }) => {
    const figure = figures.find(({ id }) => id === `guard/${metric}`)
    return {
      what: `${metric} of ${of} to ${to}, ${dir}`,
      ratio: figure?.ratios[0]?.median ?? Number.NaN,
      most,
      cost: figure?.contenders[of]?.median ?? Number.NaN,
    }
  })
}
