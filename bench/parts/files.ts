import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, type Part, startLoad, startService } from '../bench.ts'
import { Child } from '../child.ts'
import { AsyncDisposableList } from '../disposable-list.ts'
import type { FloorRequest } from '../floor-child.ts'
import type { FilesResult } from '../load-child.ts'
import type { Comparison, Figure } from '../report.ts'
import { type Contender, measure } from '../rounds.ts'
import type { Usage } from '../service-child.ts'
import { type Kind, UNCAPPED } from '../service-options.ts'

const MiB = 1024 * 1024
/** Files at once, and bytes of each; the largest goes alone, and not so often. */
const SETS = [
  { count: 1, size: MiB, most: 64 },
  { count: 1, size: 50 * MiB, most: 2 },
  { count: 4, size: 50 * MiB, most: 1 },
  { count: 16, size: 64 * MiB, most: 1, rounds: 3 },
  { count: 1, size: 1024 * MiB, most: 1, rounds: 3 },
]
const QUICK_BYTES = 64 * MiB
const COMPARISONS: readonly Comparison[] = [
  { of: 'full', to: 'copy-fdatasync' },
  { of: 'os', to: 'copy' },
  { of: 'full', to: 'synced' },
  { of: 'os', to: 'plain' },
  { of: 'full', to: 'against' },
  { of: 'os', to: 'against' },
]

/** Files: how fast, and the most memory of the process that receives, and of the one that sends. */
export const files: Part = async function* (bench) {
  for (const { count, size, most, rounds = bench.rounds } of SETS) {
    if (!bench.wantsSize(size) || (bench.quick && count * size > QUICK_BYTES)) continue
    yield* fileFigures(bench, { count, size, most, rounds: Math.min(rounds, bench.rounds) })
  }
}

async function* fileFigures(
  bench: Bench,
  { count, size, most, rounds }: { count: number; size: number; most: number; rounds: number },
): AsyncGenerator<Figure> {
  await using held = new AsyncDisposableList()
  const contenders: Contender[] = []
  for (const kind of ['full', 'os', 'plain', 'synced'] as const) {
    contenders.push(await receiver(bench, held, kind, { count, size, most }))
  }
  if (bench.against !== undefined) contenders.push(await other(bench.against, held, { count, size }))
  const dir = bench.scratch.folder()
  const floor = held.use((await Child.start('floor-child.js', { dir }))[0])
  const copies = (what: FloorRequest['do']) => ({
    name: what,
    sample: async () => ({ rate: await floor.ask<number>({ do: what, ms: 1e6, most: count, size }) }),
  })
  if (count === 1) contenders.push(copies('copy'), copies('copy-fdatasync'))
  if (count === 1) {
    await floor.ask<number>({ do: 'copy', ms: 0, most: 1, size })
    contenders.push(await fromDisk(bench, held, join(dir, `source-${size}`), size))
  }
  yield* await measure({
    id: `files/${count}x${size / MiB}MiB`,
    title: `${count === 1 ? 'a file' : `${count} files at once`} of ${size / MiB} MiB`,
    metrics: {
      rate: { unit: 'MB/s' },
      receiver: { unit: 'MiB', title: 'peak memory of the receiver' },
      sender: { unit: 'MiB', title: 'peak memory of the sender' },
    },
    comparisons: COMPARISONS,
    rounds,
    contenders,
  })
  rmSync(dir, { recursive: true, force: true })
}

/** A service that is sent files out of memory. Received files are removed between the samples. */
async function receiver(
  bench: Bench,
  held: AsyncDisposableList,
  kind: Kind,
  { count, size, most }: { count: number; size: number; most: number },
): Promise<Contender> {
  const dir = bench.scratch.folder()
  const { child, target } = await startService(bench, { kind, dir, embedded: false, cap: UNCAPPED })
  held.use(child)
  const load = held.use(await startLoad())
  return {
    name: kind,
    sample: async () => {
      const results: FilesResult[] = []
      for (let i = 0; i < most; i++) results.push(await load.ask({ do: 'files', target, count, size }))
      const { peakMiB } = await child.ask<Usage>({ ask: 'usage' })
      removeReceived(dir)
      return { rate: meanRate(results), receiver: peakMiB }
    },
  }
}

/** The library's client, which reads the file from the disk, and a durable service. */
async function fromDisk(
  bench: Bench,
  held: AsyncDisposableList,
  path: string,
  size: number,
): Promise<Contender> {
  const dir = bench.scratch.folder()
  const { child, target } = await startService(bench, { kind: 'full', dir, embedded: false, cap: UNCAPPED })
  held.use(child)
  const load = held.use(await startLoad())
  return {
    name: 'full, client from disk',
    sample: async () => {
      const { rate, peakMiB: sender } = await load.ask<FilesResult>({ do: 'deliver', target, path, size })
      const { peakMiB } = await child.ask<Usage>({ ask: 'usage' })
      removeReceived(dir)
      return { rate, receiver: peakMiB, sender }
    },
  }
}

async function other(
  socket: string,
  held: AsyncDisposableList,
  { count, size }: { count: number; size: number },
): Promise<Contender> {
  const load = held.use(await startLoad())
  const request = { do: 'files', target: { socket }, count, size }
  return {
    name: 'against',
    sample: async () => ({ rate: (await load.ask<FilesResult>(request)).rate }),
  }
}

/** All files took the same bytes: their mean rate is the harmonic one. */
function meanRate(results: readonly FilesResult[]): number {
  return results.length / results.reduce((sum, { rate }) => sum + 1 / rate, 0)
}

function removeReceived(dir: string): void {
  // The service goes on in its folder: only what lies in it goes.
  for (const entry of readdirSync(join(dir, 'received'), { withFileTypes: true })) {
    if (entry.isFile()) rmSync(join(dir, 'received', entry.name))
  }
}
