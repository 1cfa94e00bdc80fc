import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fakeClock, fakeClockFile } from './faketime.js'
import { type Folders, foldersIn, look, Scratch } from './folders.js'
import { Ledger } from './ledger.js'
import { Load, smallItems } from './load.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/** Clocks that stand still or jump, with restarts: names stay unique, and nothing is overwritten. */
export const row: Row = { needs: ['linux', 'faketime'], ci: 10_000, record: 1_000_000, run }

/** More would make the folders slow to list. */
const MESSAGES_A_FOLDER = 10_000
const HOUR = 3600

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  for (let left = n; left > 0; left -= MESSAGES_A_FOLDER) {
    for (const [name, scenario] of SCENARIOS) {
      using scratch = new Scratch()
      const messages = Math.ceil(Math.min(left, MESSAGES_A_FOLDER) / SCENARIOS.length)
      const trial = new Trial(scratch.path, messages, random)
      await scenario(trial)
      failures.push(...trial.judge().map(problem => `${name}: ${problem}`))
      counts[name] = (counts[name] ?? 0) + trial.ledger.totals.acknowledged
    }
  }
  const acknowledged = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { n: acknowledged, failures, counts }
}

const SCENARIOS: readonly [string, (trial: Trial) => Promise<void>][] = [
  [
    'frozen, over a restart',
    async trial => {
      trial.expectStamps(/-20260101-120000\.000-/)
      const env = fakeClock('2026-01-01 12:00:00')
      await trial.serve(env, () => trial.send(1 / 2))
      await trial.serve(env, () => trial.send(1 / 2))
    },
  ],
  ['two hours back', trial => trial.jump('+0', `-${2 * HOUR}`)],
  ['ten years on', trial => trial.jump('+0', `+${10 * 365 * 24 * HOUR}`)],
  [
    'summer time ends, over a restart',
    async trial => {
      // 02:59 in Berlin, in summer time and, an hour later, in winter time; and what it takes from there.
      trial.expectStamps(/-20261025-0(2\d\d|3\d\d)/)
      for (const moment of ['2026-10-25T00:59:00Z', '2026-10-25T01:59:00Z']) {
        const offset = Math.ceil((Date.parse(moment) - Date.now()) / 1000)
        const spec = `${offset < 0 ? '' : '+'}${offset}`
        await trial.serve(fakeClock(spec, 'Europe/Berlin'), () => trial.send(1 / 2))
      }
    },
  ],
]

class Trial {
  readonly ledger: Ledger
  readonly #root: string
  readonly #folders: Folders
  readonly #messages: number
  readonly #random: Random
  #service: ServiceProcess | undefined
  #stamps = { pattern: /^/, different: 1 }

  constructor(root: string, messages: number, random: Random) {
    this.#root = root
    this.#folders = foldersIn(root)
    this.#messages = messages
    this.#random = random
    this.ledger = new Ledger(this.#folders)
  }

  async serve(env: NodeJS.ProcessEnv, use: () => Promise<void>): Promise<void> {
    await using service = await ServiceProcess.start({
      socket: join(this.#root, 's'),
      // Nothing here is about power.
      config: { ...this.#folders, durability: 'os' },
      env,
    })
    this.#service = service
    await use()
  }

  /** Runs with the clock off by `before`, and from the half on by `after`: faketime's `+N` and `-N` seconds. */
  async jump(before: string, after: string): Promise<void> {
    // The hour may end while this runs.
    const hours = [before, after].flatMap(seconds =>
      [0, HOUR].map(later => new Date(Date.now() + (Number(seconds) + later) * 1000)),
    )
    this.expectStamps(new RegExp(`-(${hours.map(stampOfHour).join('|')})`), 2)
    const file = join(this.#root, 'clock')
    writeFileSync(file, before)
    await this.serve(fakeClockFile(file), async () => {
      await this.send(1 / 2)
      writeFileSync(file, after)
      await this.send(1 / 2)
    })
  }

  /** Sends this share of the messages. */
  async send(share: number): Promise<void> {
    const service = this.#service
    if (service === undefined) throw new Error('nothing is being served')
    const next = smallItems(this.#random, Math.ceil(this.#messages * share))
    const load = new Load({ dial: () => service.dial(), ledger: this.ledger, random: this.#random, next })
    await load.ended
  }

  /** The times in all names must look like this, and in `different` ways: the clock is what it should be. */
  expectStamps(pattern: RegExp, different = 1): void {
    this.#stamps = { pattern, different }
  }

  judge(): string[] {
    const { sent, acknowledged } = this.ledger.totals
    const found = look(this.#folders)
    const count = found.length
    const stamps = found.map(({ path }) => this.#stamps.pattern.exec(path)?.[0])
    const isFaked = !stamps.includes(undefined) && new Set(stamps).size >= this.#stamps.different
    return [
      ...(isFaked ? [] : [`the clock was not what it should have been: ${[...new Set(stamps)]}`]),
      ...this.ledger.compare(),
      ...(acknowledged === sent ? [] : [`${acknowledged} ACKs for ${sent} messages`]),
      ...(count === acknowledged ? [] : [`${count} files for ${acknowledged} ACKs`]),
    ]
  }
}

function stampOfHour(date: Date): string {
  return date.toISOString().slice(0, 13).replaceAll('-', '').replace('T', '-')
}
