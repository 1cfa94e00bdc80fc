import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AbusedService } from './abused-service.js'
import { type Folders, foldersIn, Scratch, temporaries, visible } from './folders.js'
import { HOSTILE_KINDS, HostilePeers } from './hostile.js'
import { type Kind, makeItem } from './items.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'

/** Minutes under moderate load, one peer in a hundred hostile: nothing grows. */
export const row: Row = { needs: ['linux'], ci: 2, record: 45, run }

const PEERS = 99
const HOSTILE_NODE = 0x10000
/** The longest that a hostile peer is there. */
const STAY_MS = 15_000
const SAMPLE_MS = 2_000
/** The part of the time in which caches and pools fill. */
const WARM_UP = 0.4
const MiB = 1024 * 1024
/** MiB of heap in 10 minutes; in a short run the collector's own ups and downs are larger. */
const MOST_SLOPE = { long: 1, short: 10 }
const LONG_MINUTES = 20
const MOST_DESCRIPTORS = 64

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  using scratch = new Scratch()
  const folders = foldersIn(scratch.path)
  const socket = join(scratch.path, 's')
  await using service = await AbusedService.start(socket, {
    ...folders,
    inboxMaxFiles: 200,
    // Small, so that what others take out is noticed every few seconds.
    receivedMaxBytes: MiB / 4,
    idleTimeoutMs: 5_000,
    frameTimeoutMs: 5_000,
  })
  const end = performance.now() + n * 60_000
  const counts = { acknowledged: 0, failed: 0, hostile: 0 }
  const peers = Array.from({ length: PEERS }, (_, i) => honest(i + 1))
  const hostile = beHostile()
  const atRest = service.descriptors
  const samples: { at: number; heap: number; descriptors: number }[] = []
  while (performance.now() < end) {
    await delay(SAMPLE_MS)
    const { heapUsed } = await service.status()
    samples.push({ at: performance.now(), heap: heapUsed / MiB, descriptors: service.descriptors })
    takeFilesOut(folders, random)
  }
  await Promise.all(peers)
  await hostile
  const steady = samples.slice(Math.ceil(samples.length * WARM_UP))
  const heap = slope(steady.map(({ at, heap }) => [at / 600_000, heap]))
  const first = steady[0]?.heap ?? 0
  const most = Math.max(...steady.map(({ descriptors }) => descriptors))
  if (heap >= (n >= LONG_MINUTES ? MOST_SLOPE.long : MOST_SLOPE.short))
    failures.push(`the heap grows by ${heap.toFixed(2)} MiB in 10 minutes`)
  if (most > atRest + PEERS + MOST_DESCRIPTORS) failures.push(`${most} descriptors, ${atRest} at rest`)
  if (counts.failed > 0) failures.push(`${counts.failed} honest messages were not acknowledged`)
  const strangers = visible(folders.inboxDir).filter(name => !name.endsWith('.json'))
  failures.push(...strangers.map(name => `a stray: ${name}`))
  if (visible(folders.inboxDir).length > 200) failures.push('the inbox is over its limit')
  if (!(await service.stop())) failures.push('the service did not stop')
  failures.push(...temporaries(folders).map(path => `left behind: ${path}`))
  const figures = { heapMiB: round(first), slopeMiB: round(heap), samples: steady.length, atRest, most }
  return { n, failures, counts: { ...counts, ...figures } }

  async function honest(node: number): Promise<void> {
    while (performance.now() < end) {
      await using client = await service.dial(node)
      const messages = random.integer(1, 20)
      for (let i = 0; i < messages && performance.now() < end; i++) {
        const kind = random.pick<Kind>(['TEXT', 'JSON', 'BINARY', 'FILE'])
        const { message } = makeItem(random, kind, random.pick([1, 100, 1_000, 10_000]))
        const isStored = await client.deliver(message).then(
          () => true,
          error => error.code === 'PEER_REFUSED' && kind === 'FILE',
        )
        if (isStored) counts.acknowledged++
        else counts.failed++
        await delay(random.integer(200, 2_000))
      }
    }
  }

  /** One hostile peer at a time, each kind in its turn. */
  async function beHostile(): Promise<void> {
    for (; performance.now() < end; counts.hostile++) {
      const kind = HOSTILE_KINDS[counts.hostile % HOSTILE_KINDS.length] ?? 'silent'
      const order = { socket, kinds: [kind], each: 1, perNode: 1, firstNode: HOSTILE_NODE }
      await using peers = new HostilePeers(order)
      const isClosed = (await peers.gone(STAY_MS)) !== undefined
      // A peer that reads no answers is closed only when its queue of answers is full, which takes minutes: it leaves before.
      if (!isClosed && kind !== 'deaf') failures.push(`a peer of the kind ${kind} was not closed`)
    }
  }
}

/** The actions of other programs on received files. */
function takeFilesOut({ receivedDir }: Folders, random: Random): void {
  for (const name of visible(receivedDir))
    if (random.chance(0.8)) rmSync(join(receivedDir, name), { force: true })
}

/** The slope of the best-fitting line. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(points.map(point => point[0]))
  const y = mean(points.map(point => point[1]))
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
