import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AbusedService } from './abused-service.js'
import { foldersIn, Scratch } from './folders.js'
import { makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver } from './load.js'
import type { Row, RowContext, RowReport } from './row.js'

/** Ten thousand connections where a thousand may be: of a few addresses, then of as many addresses. */
export const row: Row = { needs: ['linux'], ci: 1, record: 10, run }

const CONNECTIONS = 10_000
const CAP = 1_000
const AT_ONCE = 400
const FEW = 10
const MOST_MIB = 150
const IDLE_MS = 15_000
const HONEST = 0xffff_0000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  for (let i = 0; i < n; i++) {
    for (const [name, nodes] of Object.entries({ few: FEW, many: CONNECTIONS })) {
      using scratch = new Scratch()
      const folders = foldersIn(scratch.path)
      const ledger = new Ledger(folders)
      const config = { ...folders, maxConnections: CAP, idleTimeoutMs: IDLE_MS }
      await using service = await AbusedService.start(join(scratch.path, 's'), config)
      const atRest = service.descriptors
      await using early = await service.dial(HONEST)
      const isServed = async (client: typeof early) =>
        (await deliver(client, makeItem(random, 'TEXT', 1_000), ledger)) === 'acknowledged'
      if (!(await isServed(early))) failures.push('the honest peer was not served before')
      const held: Socket[] = []
      for (let done = 0; done < CONNECTIONS; done += AT_ONCE) {
        const opened = Array.from({ length: AT_ONCE }, (_, j) => service.connect(1 + ((done + j) % nodes)))
        held.push(...(await Promise.all(opened)))
        if (!(await isServed(early))) failures.push(`the honest peer was not served after ${done}`)
      }
      for (const socket of held) socket.resume()
      // Connections beyond the cap are closed as soon as they are accepted.
      const most = atRest + CAP + SOME
      for (let tries = 0; service.descriptors > most && tries < 600; tries++) await delay(50)
      counts[`${name}Descriptors`] = service.descriptors
      counts[`${name}MiB`] = Math.round(service.peakMemory)
      if (service.descriptors > most) failures.push(`${service.descriptors} descriptors, ${atRest} at rest`)
      if (service.peakMemory >= MOST_MIB) failures.push(`${Math.round(service.peakMemory)} MiB`)
      if (!(await isServed(early))) failures.push('the honest peer was not served with all of them there')
      // Connections of few addresses leave room for others; with many, the first that is idle for too long makes room.
      for (const due = performance.now() + (nodes === FEW ? 0 : IDLE_MS * 2); ; await delay(250)) {
        await using late = await service.dial(HONEST + 1)
        if (await isServed(late)) break
        if (performance.now() < due) continue
        failures.push('an honest peer that came late was not served')
        break
      }
      for (const socket of held) socket.destroy()
      failures.push(...ledger.compare())
      if (!(await service.stop())) failures.push('the service did not stop')
    }
  }
  return { n, failures, counts }
}

/** Descriptors for what is being stored. */
const SOME = 40
