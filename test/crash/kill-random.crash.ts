import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FolderReader } from './folder-reader.js'
import { type Folders, foldersIn, Scratch, strayRecords, temporaries } from './folders.js'
import { Ledger } from './ledger.js'
import { Load } from './load.js'
import type { Random } from './random.js'
import { judgeAfterPowerCut, leftSegments } from './rebooted.js'
import type { Row, RowContext, RowReport } from './row.js'
import { anySegmentBytes, type ServiceOptions, ServiceProcess } from './service-process.js'

/**
 * SIGKILL at random times under load, restart, compare, now and then with what a power cut would take then; another
 * program reads the folders all the while.
 */
export const row: Row = { needs: [], ci: 300, record: 5_000, run }

/** Rounds on the same folders; later ones would only list for longer. */
const ROUNDS_A_FOLDER = 25

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { sent: 0, acknowledged: 0, refused: 0, read: 0 }
  for (let done = 0; done < n; done += ROUNDS_A_FOLDER) {
    using scratch = new Scratch()
    const folders = foldersIn(scratch.path)
    const victim = { socket: join(scratch.path, 's'), config: folders }
    const ledger = new Ledger(folders)
    await using reader = new FolderReader(folders)
    reader.resume()
    for (let round = done; round < Math.min(n, done + ROUNDS_A_FOLDER); round++) {
      if (random.chance(0.1)) await killWhileStarting(victim, random)
      else failures.push(...(await killUnderLoad(victim, ledger, random)))
      if (random.chance(0.1)) failures.push(...(await judgeAfterPowerCut(folders, ledger, random)))
    }
    failures.push(...(await judgeAfterPowerCut(folders, ledger, random)))
    await using service = await ServiceProcess.start(victim)
    failures.push(
      ...ledger.compare(),
      ...notSwept(folders),
      ...(await leftSegments(folders, service)).map(path => `not forgotten: ${path}`),
    )
    failures.push(...(await reader.pause()))
    counts.read += reader.reads
    for (const [name, count] of Object.entries(ledger.totals)) counts[name as keyof typeof counts] += count
  }
  return { n, failures, counts }
}

function notSwept(folders: Folders): string[] {
  return [...temporaries(folders), ...strayRecords(folders)].map(path => `not swept: ${path}`)
}

/** Gives what is wrong with what earlier rounds have left. */
async function killUnderLoad(victim: ServiceOptions, ledger: Ledger, random: Random): Promise<string[]> {
  await using service = await ServiceProcess.start({ ...victim, segmentBytes: anySegmentBytes(random) })
  const problems = ledger.compare()
  const load = new Load({ dial: () => service.dial(), ledger, random, window: random.integer(1, 4) })
  await delay(random.integer(0, 200))
  await service.kill()
  await load.ended
  return problems
}

async function killWhileStarting(victim: ServiceOptions, random: Random): Promise<void> {
  await using _ = ServiceProcess.spawn(victim)
  await delay(random.integer(0, 150))
}
