import { join } from 'node:path'
import { fakeClock } from './faketime.js'
import { foldersIn, look, Scratch } from './folders.js'
import { Ledger } from './ledger.js'
import { Load, smallItems } from './load.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * Two processes on one folder: as many files as ACKs. In every other round their clocks stand still at the
 * same moment, so that both want the same names.
 */
export const row: Row = { needs: ['linux', 'faketime'], ci: 4_000, record: 80_000, run }

const MESSAGES_A_ROUND = 1_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  let acknowledged = 0
  for (let done = 0; done < n; done += MESSAGES_A_ROUND) {
    using scratch = new Scratch()
    const folders = foldersIn(scratch.path)
    const ledger = new Ledger(folders)
    const env = (done / MESSAGES_A_ROUND) % 2 === 1 ? fakeClock('2026-01-01 12:00:00') : {}
    const services = await Promise.all(
      ['a', 'b'].map(name =>
        ServiceProcess.start({ socket: join(scratch.path, name), config: folders, env }),
      ),
    )
    const next = smallItems(random, Math.min(MESSAGES_A_ROUND, n - done))
    const loads = services.map(service => new Load({ dial: () => service.dial(), ledger, random, next }))
    await Promise.all(loads.map(load => load.ended))
    await Promise.all(services.map(service => service.kill()))
    failures.push(...ledger.compare())
    const count = look(folders).length
    if (count !== ledger.totals.acknowledged)
      failures.push(`${count} files for ${ledger.totals.acknowledged} ACKs`)
    acknowledged += ledger.totals.acknowledged
  }
  if (acknowledged < n) failures.push(`only ${acknowledged} of ${n} were acknowledged`)
  return { n: acknowledged, failures, counts: {} }
}
