import type { Part } from '../bench.ts'
import { Child } from '../child.ts'
import type { FloorRequest } from '../floor-child.ts'
import { measure } from '../rounds.ts'

const SMALL: readonly FloorRequest['do'][] = [
  'create',
  'create-fdatasync',
  'create-fsync-folder',
  'append-fdatasync',
]
const MiB = 1024 * 1024
const MOST = 10_000

/** The speed of the file system itself, one call after the other. */
export const floor: Part = async function* (bench) {
  const dir = bench.scratch.folder()
  const [child] = await Child.start('floor-child.js', { dir })
  await using files = child
  const contender = (what: FloorRequest['do'], size?: number) => ({
    name: what,
    sample: async () => {
      const most = size === undefined ? MOST : 10
      return { rate: await files.ask<number>({ do: what, ms: bench.ms, most, size }) }
    },
  })
  yield* await measure({
    id: 'floor/small',
    title: 'files of 300 bytes, one after the other',
    metrics: { rate: { unit: 'times/s' } },
    comparisons: SMALL.slice(1).map(of => ({ of, to: 'create' })),
    rounds: bench.rounds,
    contenders: SMALL.map(what => contender(what)),
  })
  if (!bench.wantsSize(50 * MiB)) return
  yield* await measure({
    id: 'floor/copy',
    title: 'copies of a file of 50 MiB',
    metrics: { rate: { unit: 'MB/s' } },
    comparisons: [{ of: 'copy-fdatasync', to: 'copy' }],
    rounds: bench.rounds,
    contenders: [contender('copy', 50 * MiB), contender('copy-fdatasync', 50 * MiB)],
  })
  bench.scratch.release(dir)
}
