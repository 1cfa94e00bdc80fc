import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FAKETIME, fakeClockFile } from './faketime.js'
import { MEMORY, Scratch } from './folders.js'
import { ModelRun } from './model-run.js'
import { MODEL_SEEDS } from './model-seeds.js'
import { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * Random commands for mailboxes, and for a model of each; after each command the folders are what the model says. A
 * process serves many mailboxes, since starting it takes longer than all else: each has limits, folders, a client and
 * commands of its own, and a SIGKILL strikes each in another state.
 */
export const row: Row = { needs: ['linux'], ci: 500, record: 20_000, run }

/** Mailboxes of one process. */
const MAILBOXES = 64
const COMMANDS = 40
const COMMANDS_OF_MANY = 100
const MANY = 1_000
const MOST_FAILURES = 20
/** The number of processes whose mailboxes are in memory. */
const IN_MEMORY = 0.75
/** The share of commands that are SIGKILLs, half of them while messages are sent to all mailboxes. */
const KILLED = 0.1
const KILL_WITHIN_MS = 60

type Counts = Record<string, number>

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Counts = { commands: 0, processesKilled: 0, cutOff: 0 }
  const commands = n >= MANY ? COMMANDS_OF_MANY : COMMANDS
  const fresh = Array.from({ length: Math.ceil(n / MAILBOXES) }, (_, i) => {
    return [random.integer(0, 2 ** 31), commands, Math.min(MAILBOXES, n - i * MAILBOXES)] as const
  })
  for (const [seed, length, mailboxes = MAILBOXES] of [...MODEL_SEEDS, ...fresh]) {
    const problems = await runTogether(seed, length, mailboxes, counts)
    failures.push(...problems.map(problem => `seed ${seed}, ${length} commands: ${problem}`))
    if (failures.length > MOST_FAILURES) break
  }
  return { n, failures, counts }
}

/** As many commands for each of some mailboxes. */
async function runTogether(
  seed: number,
  length: number,
  mailboxes: number,
  counts: Counts,
): Promise<string[]> {
  const random = new Random(seed)
  // A killed process leaves the same there, and nothing waits for a disk.
  using scratch = new Scratch(random.chance(IN_MEMORY) ? MEMORY : undefined)
  await using group = await ModelGroup.start(scratch.path, random, mailboxes, counts)
  counts.commands = (counts.commands ?? 0) + length * mailboxes
  let quiet = 0
  for (let i = 0; i < length; i++) {
    if (!random.chance(KILLED)) {
      quiet++
      continue
    }
    const problems = [...(await group.carryOut(quiet)), ...(await group.kill(random.chance(0.5)))]
    if (problems.length > 0) return problems.map(problem => `before ${i}: ${problem}`)
    quiet = 0
  }
  return [...(await group.carryOut(quiet)), ...(await group.kill(false)), ...group.leftBehind()]
}

/** Mailboxes that one process serves, and that are killed together. */
class ModelGroup {
  readonly #random: Random
  readonly #counts: Counts
  readonly #clock: string
  /** False where the clock is set; it is the process's. */
  readonly #isOrdered: boolean
  readonly #runs: readonly ModelRun[]
  #service: ServiceProcess | undefined

  private constructor(root: string, random: Random, mailboxes: number, counts: Counts) {
    this.#random = random
    this.#counts = counts
    this.#clock = join(root, 'clock')
    this.#isOrdered = FAKETIME === undefined || random.chance(0.7)
    const clock = this.#isOrdered ? undefined : this.#clock
    this.#runs = Array.from({ length: mailboxes }, (_, i) => {
      return new ModelRun(join(root, `${i}`), new Random(random.integer(0, 2 ** 31)), clock)
    })
  }

  static async start(root: string, random: Random, mailboxes: number, counts: Counts): Promise<ModelGroup> {
    const group = new ModelGroup(root, random, mailboxes, counts)
    await group.#open()
    return group
  }

  /** Each mailbox gets `count` commands, at its own pace. */
  async carryOut(count: number): Promise<string[]> {
    return this.#each(async run => {
      for (let i = 0; i < count; i++) {
        const { command, problems } = await run.step()
        this.#counts[command] = (this.#counts[command] ?? 0) + 1
        if (problems.length > 0) return problems.map(problem => `${command}: ${problem}`)
      }
      return []
    })
  }

  /** SIGKILL, and a restart; where it is `busy`, while several are being sent to each mailbox. */
  async kill(busy: boolean): Promise<string[]> {
    const sending = this.#runs.map(run => (busy ? run.sendAtOnce() : Promise.resolve([])))
    if (busy) await delay(this.#random.integer(0, KILL_WITHIN_MS))
    await this.#service?.kill()
    this.#counts.processesKilled = (this.#counts.processesKilled ?? 0) + 1
    const sent = await Promise.all(sending)
    const cutOff = sent.flat().filter(({ outcome }) => outcome === 'unanswered').length
    this.#counts.cutOff = (this.#counts.cutOff ?? 0) + cutOff
    // Before it starts: what a crash leaves has to be sound as it is.
    const problems = await this.#each(async (run, i) => {
      await run.disconnect()
      return run.compare(sent[i] ?? [])
    })
    await this.#open()
    for (const run of this.#runs) run.restarted()
    return problems.map(problem => `${busy ? 'kill' : 'restart'}: ${problem}`)
  }

  leftBehind(): string[] {
    return this.#runs.flatMap(run => run.temporaries()).map(path => `left behind: ${path}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.kill()
    await Promise.all(this.#runs.map(run => run.disconnect()))
  }

  async #each(act: (run: ModelRun, i: number) => Promise<string[]>): Promise<string[]> {
    const problems = await Promise.all(
      this.#runs.map(async (run, i) => (await act(run, i)).map(problem => `mailbox ${i}: ${problem}`)),
    )
    return problems.flat()
  }

  async #open(): Promise<void> {
    if (!this.#isOrdered) writeFileSync(this.#clock, '+0\n')
    const [first, ...beside] = this.#runs.map(({ served }) => served)
    if (first === undefined) return
    const env = this.#isOrdered ? {} : fakeClockFile(this.#clock)
    const service = await ServiceProcess.start({ ...first, beside, env })
    this.#service = service
    await Promise.all(this.#runs.map(run => run.connect(service)))
  }
}
