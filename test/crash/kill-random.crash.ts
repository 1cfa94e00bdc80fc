import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FolderReader } from './folder-reader.js'
import { foldersIn, Scratch, temporaries } from './folders.js'
import { Ledger } from './ledger.js'
import { Load } from './load.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/** SIGKILL at random times under load, restart, compare; another program reads the folders all the while. */
export const row: Row = { needs: [], ci: 300, record: 5_000, run }

/** Rounds on the same folders; later ones would only list for longer. */
const ROUNDS_A_FOLDER = 25

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { sent: 0, acknowledged: 0, refused: 0, read: 0 }
  for (let done = 0; done < n; done += ROUNDS_A_FOLDER) {
    using scratch = new Scratch()
    const folders = foldersIn(scratch.path)
    const ledger = new Ledger(folders)
    await using reader = new FolderReader(folders)
    reader.resume()
    const options = { socket: join(scratch.path, 's'), config: folders }
    for (let i = done; i < Math.min(n, done + ROUNDS_A_FOLDER); i++) {
      if (random.chance(0.1)) await killWhileStarting(options, random.integer(0, 150))
      else await killUnderLoad(options)
    }
    await checkAfterRestart(options)
    failures.push(...(await reader.pause()))
    counts.read += reader.reads
    const totals = ledger.totals
    counts.sent += totals.sent
    counts.acknowledged += totals.acknowledged
    counts.refused += totals.refused

    async function killUnderLoad(options: Parameters<typeof ServiceProcess.start>[0]): Promise<void> {
      await using service = await ServiceProcess.start(options)
      failures.push(...ledger.compare())
      const load = new Load({ dial: () => service.dial(), ledger, random })
      await delay(random.integer(0, 150))
      await service.kill()
      await load.ended
    }

    async function checkAfterRestart(options: Parameters<typeof ServiceProcess.start>[0]): Promise<void> {
      await using _ = await ServiceProcess.start(options)
      failures.push(...ledger.compare())
      failures.push(...temporaries(folders).map(path => `not swept: ${path}`))
    }
  }
  return { n, failures, counts }
}

async function killWhileStarting(
  options: Parameters<typeof ServiceProcess.spawn>[0],
  afterMs: number,
): Promise<void> {
  await using _ = ServiceProcess.spawn(options)
  await delay(afterMs)
}
