import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '#lib/client/client.js'
import { AbusedService } from './abused-service.js'
import { foldersIn, Scratch, temporaries } from './folders.js'
import { HOSTILE_KINDS, HostilePeers } from './hostile.js'
import { makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver } from './load.js'
import { OthersWork } from './others-work.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'

/**
 * Five hundred peers of each hostile kind at once, and honest ones meanwhile: those are all served, and for them the
 * slowest in a hundred takes at most twice as long as before or after. That is judged by the median of the runs that had
 * the machine to themselves, where there are several: on a busy one it tells of others. How it is while so many connect,
 * and for one that comes then, is told, and not judged: here each comes on a socket of its own, of which the system lets
 * in one in each round of the service's event loop, while a daemon brings all of them on one.
 */
export const row: Row = { needs: ['linux'], ci: 5, record: 20, run }

const EACH = 500
const PER_NODE = 10
const HONEST = 8
const HONEST_NODE = 0x10000
const NEWCOMER_NODE = 0x20000
const DEADLINE_MS = 6_000
const MOST_MIB = 500
const MEASURE_MS = 3_000
/** Tolerance added to deadlines. */
const SLACK_MS = 6_000
/** Descriptors of what is being stored. */
const SOME = 40
const MOST_SLOWER = 2
/** Slower without hostile peers, by far, than a machine is that does nothing else: it shows nothing then. */
const MOST_USUAL_MS = 20
/** The share of the processors, for a machine with other load. */
const MOST_OF_OTHERS = 0.1
/** Runs from which on times are judged, by their median. */
const JUDGED_FROM = 3

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  const slower: number[] = []
  for (let i = 0; i < n; i++) {
    using scratch = new Scratch()
    const folders = foldersIn(scratch.path)
    const ledger = new Ledger(folders)
    const socket = join(scratch.path, 's')
    await using service = await AbusedService.start(socket, {
      ...folders,
      maxConnections: 4_000,
      idleTimeoutMs: DEADLINE_MS,
      frameTimeoutMs: DEADLINE_MS,
    })
    const atRest = service.descriptors
    const honest = { service, ledger, random, failures }
    const clients = await dialAll(service)
    const before = await measure(honest, clients, delay(MEASURE_MS))
    const peers = { kinds: HOSTILE_KINDS, each: EACH, perNode: PER_NODE, firstNode: 1 }
    const hostile = new HostilePeers({ socket, ...peers })
    // All of them have been let in when one who comes after them is served.
    const newcomer = hostile.open().then(() => serveNewcomer(honest))
    const coming = await measure(honest, clients, newcomer)
    const others = new OthersWork([process.pid, service.pid, hostile.pid])
    const meanwhile = await measure(honest, clients, delay(MEASURE_MS))
    const { share } = others
    Object.assign(counts, { newcomerMs: await newcomer, othersPercent: Math.round(share * 100) })
    // Peers that read no answers have a longer deadline, which starts when their buffers are full.
    const most = atRest + EACH + SOME
    const due = performance.now() + DEADLINE_MS + SLACK_MS
    while (service.descriptors > most && performance.now() < due) await delay(100)
    if (service.descriptors > most)
      failures.push(`${service.descriptors - atRest - EACH} are there past their deadline`)
    await hostile[Symbol.asyncDispose]()
    await delay(SLACK_MS / 4)
    // They have been idle for too long.
    await Promise.all(clients.map(client => client.close()))
    const after = await measure(honest, await dialAll(service), delay(MEASURE_MS))
    const peak = Math.round(service.peakMemory)
    Object.assign(counts, { acknowledged: ledger.totals.acknowledged, peakMiB: peak })
    for (const [name, times] of Object.entries({ before, coming, meanwhile, after })) {
      counts[`${name}P50us`] = Math.round(quantile(times, 0.5) * 1_000)
      counts[`${name}P99us`] = Math.round(quantile(times, 0.99) * 1_000)
    }
    const usual = Math.min(quantile(before, 0.99), quantile(after, 0.99))
    if (share < MOST_OF_OTHERS && usual <= MOST_USUAL_MS) slower.push(quantile(meanwhile, 0.99) / usual)
    if (peak >= MOST_MIB) failures.push(`${peak} MiB`)
    failures.push(...ledger.compare())
    if (!(await service.stop())) failures.push('the service did not stop')
    failures.push(...temporaries(folders).map(path => `left behind: ${path}`))
  }
  counts.judged = slower.length
  if (slower.length > 0) {
    const median = quantile(slower, 0.5)
    counts.p99PercentOfUsual = Math.round(median * 100)
    if (slower.length >= JUDGED_FROM && median > MOST_SLOWER)
      failures.push(`the slowest in a hundred took ${median.toFixed(1)} times as long`)
  }
  return { n, failures, counts }
}

interface Honest {
  readonly service: AbusedService
  readonly ledger: Ledger
  readonly random: Random
  readonly failures: string[]
}

async function dialAll(service: AbusedService): Promise<Client[]> {
  return Promise.all(Array.from({ length: HONEST }, (_, i) => service.dial(HONEST_NODE + i)))
}

/** Has honest peers send a little until `end`; with the milliseconds that each answer took. */
async function measure(honest: Honest, clients: readonly Client[], end: Promise<unknown>): Promise<number[]> {
  let isOver = false
  void end
    .catch(() => {})
    .then(() => {
      isOver = true
    })
  const times: number[] = []
  const peer = async (client: Client) => {
    while (!isOver) {
      const since = performance.now()
      if (!(await isServed(client, honest))) return
      times.push(performance.now() - since)
      await delay(10)
    }
  }
  await Promise.all(clients.map(peer))
  await end
  return times
}

/** After how many milliseconds one that has just come has been served. */
async function serveNewcomer(honest: Honest): Promise<number> {
  const since = performance.now()
  await using client = await honest.service.dial(NEWCOMER_NODE)
  await isServed(client, honest)
  return Math.round(performance.now() - since)
}

async function isServed(client: Client, { ledger, random, failures }: Honest): Promise<boolean> {
  const outcome = await deliver(client, makeItem(random, 'TEXT', 1_000), ledger)
  if (outcome !== 'acknowledged') failures.push(`an honest message was ${outcome}`)
  return outcome === 'acknowledged'
}

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
