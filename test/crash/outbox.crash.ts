import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Outbox } from '#lib/outbox/outbox.js'
import { Child } from './child-process.js'
import { type Folders, foldersIn, Scratch, visible } from './folders.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'

/**
 * Messages and files are queued while the peer is away; while they are delivered, both sides are killed at random
 * moments, ten times each: every one arrives, each once, and in its order.
 */
export const row: Row = { needs: [], ci: 200, record: 10_000, run }

/** Queued before they are delivered. */
const MOST_AT_ONCE = 1_000
const KILLS = 10
const TARGETS = ['bob', '0:0000.0000.000A', 'carol']
/** The deadline of one run, far more than a busy machine takes. */
const DEADLINE_MS = 600_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { kills: 0 }
  for (let left = n; left > 0; left -= MOST_AT_ONCE) {
    failures.push(...(await deliverAll(Math.min(left, MOST_AT_ONCE), random)))
    counts.kills += 2 * KILLS
  }
  return { n, failures, counts }
}

async function deliverAll(count: number, random: Random): Promise<string[]> {
  using scratch = new Scratch()
  const dir = join(scratch.path, 'outbox')
  const folders = foldersIn(scratch.path)
  const outbox = await Outbox.open({ dir })
  const sent = await queue(outbox, count, scratch.path)
  const socket = join(scratch.path, 's')
  const startService = () => ServiceProcess.start({ socket, config: folders })
  const startRunner = async () => new Child('outbox-runner-child.js', dir, socket)

  const runner = await Victim.start(startRunner)
  await using _ = runner
  const service = await Victim.start(startService)
  await using __ = service
  const deadline = performance.now() + DEADLINE_MS
  const mayGoOn = () => runner.isAlive && service.isAlive && performance.now() < deadline
  for (let kill = 0; kill < KILLS; kill++) {
    // All through the delivery: by how many are left.
    const left = Math.floor(count * (1 - (kill + random.next()) / KILLS))
    while (waitingIn(dir) > left && mayGoOn()) await delay(1)
    for (const victim of random.chance(0.5) ? [runner, service] : [service, runner]) {
      await delay(random.integer(0, 4))
      await victim.restart()
    }
  }
  while (waitingIn(dir) > 0 && mayGoOn()) await delay(5)
  return [...compare(sent, folders), ...(await outbox.list()).map(entry => `left: ${JSON.stringify(entry)}`)]
}

interface Killed {
  readonly isAlive: boolean
  kill(): Promise<void>
}

/** A process that is killed and started again. */
class Victim {
  readonly #start: () => Promise<Killed>
  #process: Killed

  private constructor(start: () => Promise<Killed>, process: Killed) {
    this.#start = start
    this.#process = process
  }

  static async start(start: () => Promise<Killed>): Promise<Victim> {
    return new Victim(start, await start())
  }

  get isAlive(): boolean {
    return this.#process.isAlive
  }

  async restart(): Promise<void> {
    await this.#process.kill()
    this.#process = await this.#start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill()
  }
}

/** The queued messages of each target, in order; files, which have unique names, under `''`. */
type Sent = Map<string, string[]>

async function queue(outbox: Outbox, count: number, folder: string): Promise<Sent> {
  const sent: Sent = new Map()
  const note = (target: string, text: string) => sent.set(target, [...(sent.get(target) ?? []), text])
  const adding = Array.from({ length: count }, (_, i) => {
    const target = TARGETS[i % TARGETS.length] ?? ''
    const text = `${target} ${i}`
    if (i % 10 > 0) {
      note(target, text)
      return outbox.add(target, { text })
    }
    note('', text)
    const path = join(folder, `file-${i}`)
    writeFileSync(path, text)
    return outbox.add(target, { file: path }, { copy: i % 20 === 0 })
  })
  await Promise.all(adding)
  return sent
}

const waitingIn = (dir: string) => readdirSync(dir).filter(name => name.endsWith('.msg')).length

function compare(sent: Sent, { inboxDir, receivedDir }: Folders): string[] {
  const names = visible(inboxDir).sort((a, b) => (stamp(a) < stamp(b) ? -1 : 1))
  const texts = names.map(name => String(JSON.parse(readFileSync(join(inboxDir, name), 'utf8')).data))
  const files = visible(receivedDir).map(name => readFileSync(join(receivedDir, name), 'utf8'))
  return [...sent].flatMap(([target, expected]) => {
    const arrived = target === '' ? files : texts.filter(text => text.startsWith(`${target} `))
    const wrong = countsThatDiffer(expected, arrived)
    const isInOrder = target === '' || wrong.length > 0 || arrived.join() === expected.join()
    return isInOrder ? wrong : [`not in their order: what is for ${target}`]
  })
}

function countsThatDiffer(expected: readonly string[], arrived: readonly string[]): string[] {
  const counts = new Map(expected.map(text => [text, 0]))
  for (const text of arrived) counts.set(text, (counts.get(text) ?? 0) + 1)
  return [...counts]
    .filter(([, count]) => count !== 1)
    .map(([text, count]) => `${count} times there: ${text}`)
}

function stamp(name: string): string {
  return /\d{8}-\d{6}\.\d{3}-\d{6,}/.exec(name)?.[0] ?? ''
}
