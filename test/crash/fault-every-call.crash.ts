import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Folders, foldersIn, partials, Scratch, strayRecords, temporaries } from './folders.js'
import { Ledger } from './ledger.js'
import type { Outcome } from './load.js'
import type { Random } from './random.js'
import { judgeAfterPowerCut } from './rebooted.js'
import type { Row, RowContext, RowReport } from './row.js'
import { makeParcel, type Parcel, SAVES, type Save, sendAgain } from './saves.js'
import type { Call } from './strace.js'
import { numbered, TracedService } from './traced-service.js'

/**
 * Every file system call of one save of each kind fails: once; and, of what comes in one frame without an id, from
 * there on, with all later ones, for good. Writes also take less than they are given. The answer is an honest one, and
 * the next save works; what is sent in chunks can be gone on with, and what has an id sent again. On demand, so many
 * saves with two faults at random after that: ten minutes of them.
 */
export const row: Row = { needs: ['linux', 'strace', 'prlimit'], ci: 0, record: 12_000, run }

const ERRORS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EACCES', 'EROFS']
/** Files may not grow past these: a write that would is cut short, by the kernel. */
const FILE_SIZES = [1, 100, 700, 4_096, 65_536, 250_000]

/** Saves for one service and its folders: later ones would only list for longer. */
const SAVES_A_FOLDER = 500

async function run({ n: more, random }: RowContext): Promise<RowReport> {
  const report = await everyFault(random)
  for (let left = more; left > 0; left -= SAVES_A_FOLDER)
    await randomFaults(Math.min(left, SAVES_A_FOLDER), random, report)
  return report
}

interface Report extends RowReport {
  n: number
  readonly failures: string[]
  readonly counts: Record<string, number>
}

async function everyFault(random: Random): Promise<Report> {
  const report: Report = { n: 0, failures: [], counts: {} }
  for (const save of SAVES) {
    await runTrial(random, report, trial => everyFaultOf(save, trial, random))
    if (report.failures.length > MOST_FAILURES) break
  }
  const { n, failures, counts } = report
  const { notReached = 0 } = counts
  // How many pieces a payload comes in is the socket's choice: a fault at the last one may find none.
  if (notReached > n / 20) failures.push(`${notReached} of ${n} faults were not reached`)
  return report
}

const MOST_FAILURES = 20

async function everyFaultOf(save: Save, trial: Trial, random: Random): Promise<void> {
  const { calls } = await trial.service.save(makeParcel(random, save))
  for (const { call, number } of numbered(calls)) {
    const name = call.name
    for (const error of ERRORS) {
      await trial.fault(save, [`${name}:error=${error}:when=${number}`])
      if (save.as === undefined) await trial.fault(save, forGood(calls, call, error))
    }
    if (!name.includes('write')) continue
    // Claims to have written what it has not; never more than it was given, which no kernel does. In a partial file,
    // where each write has its place, that would be a hole, which no kernel makes either.
    const isPlaced = save.as === 'chunks' && name === 'pwrite64'
    const counts = isPlaced ? [0] : [0, 1, halfTheLeast(calls)]
    for (const count of counts) await trial.fault(save, [`${name}:retval=${count}:when=${number}`])
  }
  for (const size of FILE_SIZES) if (size < save.size) await trial.shortWrite(save, size)
}

/**
 * Less than any write has: which comes when differs, and how long it is, by the names that items have. One that claimed
 * more than it was given would have libuv read past its buffers.
 */
function halfTheLeast(calls: readonly Call[]): number {
  const writes = calls.filter(({ name }) => name.includes('write'))
  const sizes = writes.map(({ text }) => Number(/ = (\d+)$/.exec(text)?.[1] ?? Number.POSITIVE_INFINITY))
  return Math.floor(Math.min(...sizes, SHORTEST_RECORD) / 2)
}

/** Bytes; that of a file with a short name has more. */
const SHORTEST_RECORD = 200

/** Adds what comes of `saves` saves to `report`. */
async function randomFaults(saves: number, random: Random, report: Report): Promise<void> {
  const before = report.n
  await runTrial(random, report, async trial => {
    while (trial.n < saves) await trial.fault(random.pick(SAVES), [anyFault(random), anyFault(random)])
  })
  report.counts.atRandom = (report.counts.atRandom ?? 0) + report.n - before
}

/** Has a service and its folders tried, and adds what comes of it, also when the power goes at its end, to `report`. */
async function runTrial(
  random: Random,
  report: Report,
  tries: (trial: Trial) => Promise<void>,
): Promise<void> {
  using scratch = new Scratch()
  const trial = await Trial.start(scratch.path, random)
  try {
    await tries(trial)
    await trial.cutPower()
  } finally {
    await trial.service.process.kill()
  }
  report.n += trial.n
  report.failures.push(...trial.failures)
  for (const [name, count] of Object.entries(trial.counts))
    report.counts[name] = (report.counts[name] ?? 0) + count
}

/** `from`, and every call of the mailbox after it. */
function forGood(calls: readonly Call[], from: Call, error: string): string[] {
  const start = calls.indexOf(from)
  return [...new Set(calls.map(({ name }) => name))].map(name => {
    const before = calls.slice(0, start).filter(call => call.name === name).length
    return `${name}:error=${error}:when=${before + 1}+`
  })
}

/** Rarer calls come rarely; each is the first of its name, or a later one. */
function anyFault(random: Random): string {
  const name = random.pick([
    'openat',
    'write',
    'pwrite64',
    'writev',
    'statx',
    'fdatasync',
    'close',
    'link',
    'unlink',
    'fsync',
  ])
  const when = `${random.integer(1, 3)}${random.pick(['', '+', '+2'])}`
  return `${name}:error=${random.pick(ERRORS)}:when=${when}`
}

class Trial {
  readonly service: TracedService
  readonly failures: string[] = []
  readonly counts = { refused: 0, acknowledged: 0, unanswered: 0, shortWrites: 0, notReached: 0 }
  n = 0
  readonly #folders: Folders
  readonly #ledger: Ledger
  readonly #random: Random

  private constructor(service: TracedService, folders: Folders, ledger: Ledger, random: Random) {
    this.service = service
    this.#folders = folders
    this.#ledger = ledger
    this.#random = random
  }

  static async start(root: string, random: Random): Promise<Trial> {
    const folders = foldersIn(root)
    const ledger = new Ledger(folders)
    return new Trial(await TracedService.start(root, folders, ledger, random), folders, ledger, random)
  }

  /** Saves with the fault; whether calls come in the very same order each time is not in our hands. */
  async fault(save: Save, inject: string[]): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt++) {
      const parcel = makeParcel(this.#random, save)
      const { outcome, calls } = await this.service.save(parcel, inject)
      const reached = calls.filter(({ text }) => text.includes('(INJECTED)'))
      const canStay = reached.some(({ name }) => name === 'unlink')
      await this.#check(`${save.name}, ${inject.join(' ')}`, parcel, outcome, canStay)
      if (reached.length > 0) return
    }
    this.counts.notReached++
  }

  async shortWrite(save: Save, fileSize: number): Promise<void> {
    const what = `${save.name}, files of ${fileSize} bytes at most`
    await this.#limit(`${fileSize}`)
    const parcel = makeParcel(this.#random, save)
    const { outcome } = await this.service.save(parcel)
    await this.#limit('unlimited')
    if (outcome !== 'refused') this.failures.push(`${what}: ${outcome}`)
    this.counts.shortWrites++
    await this.#check(what, parcel, outcome, false)
  }

  /** Ends the service, and the power goes. */
  async cutPower(): Promise<void> {
    await this.service.process.kill()
    this.failures.push(...(await judgeAfterPowerCut(this.#folders, this.#ledger, this.#random)))
  }

  async #check(what: string, parcel: Parcel, outcome: Outcome, canStay: boolean): Promise<void> {
    this.n++
    this.counts[outcome]++
    const say = (problem: string) => this.failures.push(`${what}: ${problem}`)
    if (!this.service.process.isAlive) throw new Error(`${what}: the service has died`)
    if (outcome === 'unanswered') say('no answer')
    for (const problem of await sendAgain(this.service.process, parcel, outcome, this.#ledger)) say(problem)
    for (const path of [...temporaries(this.#folders), ...partials(this.#folders)]) {
      if (!canStay) say(`left behind: ${path}`)
      rmSync(path)
    }
    if (!canStay) for (const name of strayRecords(this.#folders)) say(`a record without its file: ${name}`)
    const next = await this.service.save(makeParcel(this.#random, { kind: 'TEXT', size: 200 }))
    if (next.outcome !== 'acknowledged') say(`the next save is ${next.outcome}`)
    for (const problem of this.#ledger.compare()) say(problem)
  }

  async #limit(fileSize: string): Promise<void> {
    await promisify(execFile)('prlimit', [
      `--pid=${this.service.process.pid}`,
      `--fsize=${fileSize}:unlimited`,
    ])
  }
}
