import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '#lib/client/client.js'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { Address } from '#lib/pilot/address.js'
import { Driver } from '#lib/pilot/driver.js'
import { Child } from './child-process.js'
import { foldersIn, Scratch, temporaries } from './folders.js'
import { type Kind, makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver } from './load.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/** The daemon that a service is attached to is killed in mid-frame, and started again. */
export const row: Row = { needs: ['linux'], ci: 50, record: 1_000, run }

const ADDRESS = new Address(0, 0xa)
const BACK_WITHIN_MS = 60_000
const SENDERS = 4

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  using scratch = new Scratch()
  const folders = foldersIn(scratch.path)
  const ledger = new Ledger(folders)
  const directory = join(scratch.path, 'nodes')
  const daemon = join(scratch.path, 'a.sock')
  const start = () => startDaemon({ socketPath: daemon, directory, address: `${ADDRESS}`, hostname: 'a' })
  let child = await start()
  await using service = await ServiceProcess.start({ socket: '', config: folders, daemon })
  // The senders' daemon lives on: they lose their streams, not their network.
  await using own = await EmbeddedDaemon.start({
    socketPath: join(scratch.path, 'b.sock'),
    directory,
    hostname: 'b',
  })
  const driver = await Driver.connect(own.socketPath)
  let longest = 0
  try {
    for (let i = 0; i < n; i++) {
      const senders = Array.from({ length: SENDERS }, () => sendUntilCut(driver, ledger, random))
      await delay(random.integer(5, 150))
      await child.kill()
      await Promise.all(senders)
      child = await start()
      const since = performance.now()
      if (!(await isServedAgain(driver, ledger, random)))
        failures.push(`restart ${i}: the service did not come back`)
      longest = Math.max(longest, performance.now() - since)
      failures.push(...ledger.compare().map(problem => `restart ${i}: ${problem}`))
      if (!service.isAlive) failures.push(`restart ${i}: the service died`)
      if (failures.length > 0) break
    }
    failures.push(...temporaries(folders).map(path => `left behind: ${path}`))
  } finally {
    await driver.close()
    await child.kill()
  }
  const { sent, acknowledged } = ledger.totals
  return { n, failures, counts: { sent, acknowledged, longestMs: Math.round(longest) } }
}

/** Sends one large frame after the other, each once, until its connection is cut. */
async function sendUntilCut(driver: Driver, ledger: Ledger, random: Random): Promise<void> {
  const client = await Client.dial(driver, ADDRESS).catch(() => undefined)
  if (client === undefined) return
  const isStored = async () => {
    const kind = random.pick<Kind>(['TEXT', 'BINARY', 'FILE', 'FILE'])
    const item = makeItem(random, kind, random.pick([200, 40_000, 3_000_000]))
    return (await deliver(client, item, ledger)) === 'acknowledged'
  }
  while (await isStored());
  await client.close().catch(() => {})
}

/** Tries until a message is acknowledged; what was not is sent anew, under a key of its own. */
async function isServedAgain(driver: Driver, ledger: Ledger, random: Random): Promise<boolean> {
  for (const due = performance.now() + BACK_WITHIN_MS; performance.now() < due; await delay(20)) {
    const client = await Client.dial(driver, ADDRESS).catch(() => undefined)
    if (client === undefined) continue
    const outcome = await deliver(client, makeItem(random, 'TEXT', 300), ledger)
    await client.close().catch(() => {})
    if (outcome === 'acknowledged') return true
  }
  return false
}

async function startDaemon(options: Record<string, string>): Promise<Child> {
  const child = new Child('../helpers/embedded-child.js', JSON.stringify(options))
  const line = await child.line()
  if (!line?.startsWith(`${ADDRESS}`)) throw new Error(`the daemon did not start: ${line ?? 'it has ended'}`)
  return child
}
