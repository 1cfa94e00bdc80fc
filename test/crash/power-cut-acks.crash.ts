import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { InboxConsumer } from '#lib/mailbox/consumers/inbox-consumer.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { ConsumerLog } from './consumer-log.js'
import { ConsumerProcess } from './consumer-process.js'
import { Disk } from './disk.js'
import { foldersIn, Scratch } from './folders.js'
import { Cutter, restartMachine } from './power-cut.js'
import type { Row, RowContext, RowReport } from './row.js'

/** Power cuts while a consumer works: what it has acknowledged is not given again, and nothing is lost. */
export const row: Row = { needs: ['linux', 'root', 'loop', 'python', 'ext4'], ci: 20, record: 200, run }

const MESSAGES = 40
const LEASE_MS = 100

async function run({ n, random }: RowContext): Promise<RowReport> {
  using scratch = new Scratch()
  await using disk = new Disk(scratch.path, 'ext4')
  const folders = foldersIn(disk.mountPoint)
  const failures: string[] = []
  const counts = { acknowledged: 0, givenAgain: 0 }
  for (let i = 0; i < n; i++) {
    disk.format()
    await disk.mount()
    const mailbox = await Mailbox.open(folders)
    await Promise.all(Array.from({ length: MESSAGES }, () => store(mailbox)))
    // The messages are in its journal, or durable themselves.
    const isClosed = random.chance(0.3)
    if (isClosed) await mailbox.close()

    const options = {
      dir: folders.inboxDir,
      leaseMs: LEASE_MS,
      maxAttempts: 1_000,
      remove: random.chance(0.5),
    }
    const log = join(scratch.path, `log-${i}`)
    const acknowledged = await cutPower(disk, { ...options, log }, random.integer(0, 100))
    if (!isClosed) await mailbox.close()
    await restartMachine(disk, folders)
    // As a service does.
    const reopened = await Mailbox.open(folders)
    // Leased messages are delivered again.
    await delay(2 * LEASE_MS)
    const again = await allOf(await InboxConsumer.open({ ...options, leaseMs: 3_600_000 }))
    await reopened.close()
    await disk.unmount()

    const given = new Set([...again, ...new ConsumerLog(log).given.keys()])
    if (given.size !== MESSAGES) failures.push(`${MESSAGES - given.size} of ${MESSAGES} messages were lost`)
    for (const id of again) if (acknowledged.has(id)) failures.push(`${id} was given again after its ack`)
    counts.acknowledged += acknowledged.size
    counts.givenAgain += again.length
  }
  return { n, failures, counts }
}

type Setup = Omit<ConstructorParameters<typeof ConsumerProcess>[0], 'seed'>

/** Resolves with what had been acknowledged when the power was cut. */
async function cutPower(disk: Disk, setup: Setup, afterMs: number): Promise<ReadonlyMap<string, number>> {
  await using cutter = await Cutter.start(disk.mountPoint)
  await using consumer = new ConsumerProcess({ ...setup, seed: 0, faithful: true })
  await consumer.working
  await delay(afterMs)
  const { acknowledged } = new ConsumerLog(setup.log)
  await cutter.cut()
  return acknowledged
}

async function store(mailbox: Mailbox): Promise<void> {
  await mailbox.storeMessage({ type: 'TEXT', from: 'a', length: 1 }, Buffer.from('m'))
}

async function allOf(consumer: InboxConsumer): Promise<string[]> {
  const ids: string[] = []
  for (let m = await consumer.next(); m !== undefined; m = await consumer.next()) ids.push(m.id)
  return ids
}
