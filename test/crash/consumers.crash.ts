import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { ConsumerLog } from './consumer-log.js'
import { ConsumerProcess } from './consumer-process.js'
import { type Folders, foldersIn, Scratch } from './folders.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * Four consumer processes on one inbox, killed at random, some of them forgetful or slow: every message is
 * handled, and one is given twice only where a lease ran out or it was given back. And how soon a waiting
 * consumer has what was acknowledged to its sender.
 */
export const row: Row = { needs: [], ci: 500, record: 5_000, run }

const CONSUMERS = 4
const LEASE_MS = 400
const LATENCIES = 100
/** Far from what is to be expected: it tells only that nobody polls. */
const MOST_LATENCY_MS = 1_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const killed = await killConsumers(n, random)
  const latencies = await measureLatency(random)
  const failures = [...killed.failures]
  const medianMs = latencies[Math.floor(latencies.length / 2)] ?? Number.POSITIVE_INFINITY
  const p99Ms = latencies[Math.floor(latencies.length * 0.99)] ?? Number.POSITIVE_INFINITY
  if (medianMs > MOST_LATENCY_MS) failures.push(`a waiting consumer had its message after ${medianMs} ms`)
  return { n, failures, counts: { ...killed.counts, medianMs: tenth(medianMs), p99Ms: tenth(p99Ms) } }
}

async function killConsumers(n: number, random: Random): Promise<Omit<RowReport, 'n'>> {
  using scratch = new Scratch()
  const folders = foldersIn(scratch.path)
  const log = join(scratch.path, 'log')
  const start = () =>
    new ConsumerProcess({
      dir: folders.inboxDir,
      leaseMs: LEASE_MS,
      maxAttempts: 1_000,
      log,
      seed: random.integer(0, 2 ** 31),
    })
  const mailbox = await Mailbox.open({ ...folders, durability: 'os', inboxMaxFiles: 1e9, inboxMaxBytes: -1 })
  await fill(mailbox, Math.ceil(n / 2))
  const consumers = Array.from({ length: CONSUMERS }, start)
  let kills = 0
  try {
    await Promise.all(consumers.map(({ working }) => working))
    const filling = fill(mailbox, Math.floor(n / 2))
    const deadline = performance.now() + 60_000 + n * 200
    while (countDone(folders) < n && performance.now() < deadline) {
      await delay(random.integer(20, 200))
      // Every kill leaves leases that have to run out.
      if (countDone(folders) > 0.95 * n) continue
      const at = random.integer(0, CONSUMERS - 1)
      await consumers[at]?.kill()
      consumers[at] = start()
      kills++
    }
    await filling
    await mailbox.close()
    // Whatever is given now is given again.
    await delay(2 * LEASE_MS)
  } finally {
    await Promise.all(consumers.map(consumer => consumer.kill()))
  }
  const { given, acknowledged, duplicates, ...told } = summary(log)
  const failures = [...told.wrongs]
  if (given < n) failures.push(`${n - given} of ${n} messages were never given`)
  if (countDone(folders) !== n) failures.push(`${countDone(folders)} of ${n} messages are acknowledged`)
  return { failures, counts: { kills, acknowledged, duplicates } }
}

function summary(path: string): {
  given: number
  acknowledged: number
  duplicates: number
  wrongs: readonly string[]
} {
  const log = new ConsumerLog(path)
  const { duplicates } = log
  return { given: log.given.size, acknowledged: log.acknowledged.size, duplicates, wrongs: log.wrongs() }
}

async function fill(mailbox: Mailbox, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const data = Buffer.from(`message ${i}`)
    await mailbox.storeMessage({ type: 'TEXT', from: 'a', length: data.length }, data)
  }
}

function countDone({ inboxDir }: Folders): number {
  const names = readdirSync(join(inboxDir, '.consumers', 'default'), { encoding: 'utf8' })
  return names.filter(name => name.endsWith('.done')).length
}

/** How long after its sender had the ACK a waiting consumer had each message: ms, sorted. */
async function measureLatency(random: Random): Promise<number[]> {
  using scratch = new Scratch()
  const folders = foldersIn(scratch.path)
  const log = join(scratch.path, 'log')
  const setup = { dir: folders.inboxDir, leaseMs: 60_000, log, seed: 0, faithful: true }
  await using service = await ServiceProcess.start({ socket: join(scratch.path, 's'), config: folders })
  await using consumer = new ConsumerProcess(setup)
  await consumer.working
  const client = await service.dial()
  const acknowledgedAt: number[] = []
  for (let i = 0; i < LATENCIES; i++) {
    await client.deliver({ text: `${i}` })
    acknowledgedAt.push(performance.timeOrigin + performance.now())
    await delay(random.integer(0, 20))
  }
  const deadline = performance.now() + 30_000
  while (new ConsumerLog(log).given.size < LATENCIES && performance.now() < deadline) await delay(20)
  await client.close()
  // They are given in the order in which they came.
  const given = [...new ConsumerLog(log).given].sort(([a], [b]) => (a < b ? -1 : 1))
  return given
    .map(([, [first]], i) => (first?.now ?? Number.POSITIVE_INFINITY) - (acknowledgedAt[i] ?? 0))
    .sort((a, b) => a - b)
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}
