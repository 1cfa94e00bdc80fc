import { join } from 'node:path'
import { foldersIn, partials, Scratch, strayRecords, temporaries } from './folders.js'
import { Ledger } from './ledger.js'
import { judgeAfterPowerCut, leftSegments } from './rebooted.js'
import type { Row, RowContext, RowReport } from './row.js'
import { makeParcel, SAVES, sendAgain } from './saves.js'
import { ServiceProcess } from './service-process.js'
import { numbered, TracedService } from './traced-service.js'

/**
 * SIGKILL at every file system call of one save of each kind, restart, compare; also with what a power cut would take
 * then. Then transfers in chunks are resumed, and messages with an id are sent again.
 */
export const row: Row = { needs: ['linux', 'strace'], ci: 0, record: 0, run }

const ENDS_WITHIN_MS = 10_000

async function run({ random }: RowContext): Promise<RowReport> {
  using scratch = new Scratch()
  const folders = foldersIn(scratch.path)
  const ledger = new Ledger(folders)
  const failures: string[] = []
  const counts: Record<string, number> = {}
  for (const save of SAVES) {
    const { name } = save
    const targets = await callsOfOneSave()
    let kills = 0
    for (const target of targets) kills += (await killAt(target)) ? 1 : 0
    // One more of each: there is no further call that could be the last.
    for (const [callName, number] of new Map(targets)) {
      for (let next = number + 1; await killAt([callName, next]); next++) kills++
    }
    if (kills < targets.length / 2) failures.push(`${name}: ${kills} kills at ${targets.length} calls`)
    counts[name] = kills

    async function callsOfOneSave(): Promise<[name: string, number: number][]> {
      await using service = await TracedService.start(scratch.path, folders, ledger, random)
      const { calls } = await service.save(makeParcel(random, save))
      return numbered(calls).map(({ call, number }) => [call.name, number])
    }

    async function killAt([callName, number]: [string, number]): Promise<boolean> {
      await using service = await TracedService.start(scratch.path, folders, ledger, random)
      const left = [
        ...temporaries(folders),
        ...strayRecords(folders),
        ...(await leftSegments(folders, service.process)),
      ]
      failures.push(...left.map(path => `not swept: ${path}`))
      const parcel = makeParcel(random, save)
      const { outcome } = await service.save(parcel, [`${callName}:signal=SIGKILL:when=${number}`])
      const killed = outcome === 'unanswered'
      if (killed && !(await service.process.hasEnded(ENDS_WITHIN_MS)))
        failures.push(`${name}, ${callName} ${number}: no answer, and it was not killed`)
      await service.process.kill()
      const problems = [...ledger.compare(), ...(await judgeAfterPowerCut(folders, ledger, random))]
      if (save.as !== undefined) {
        await using next = await ServiceProcess.start({ socket: join(scratch.path, 's'), config: folders })
        problems.push(...(await sendAgain(next, parcel, outcome, ledger)), ...ledger.compare())
        problems.push(...partials(folders).map(path => `left behind: ${path}`))
      }
      failures.push(...problems.map(problem => `${name}, ${callName} ${number}: ${problem}`))
      return killed
    }
  }
  const n = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { n, failures, counts }
}
