import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '#lib/exchange/client.js'
import { listMessages, messagePayload } from '#lib/mailbox/browse-inbox.js'
import { listReceived } from '#lib/mailbox/browse-received.js'
import { FAKETIME, fakeClockFile } from './faketime.js'
import { type Folders, foldersIn, Scratch, temporaries } from './folders.js'
import { type Kind, keyOf, makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver } from './load.js'
import { MailboxModel, type ModelLimits, type Sent, type Shown } from './mailbox-model.js'
import { MODEL_SEEDS } from './model-seeds.js'
import { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { ServiceProcess } from './service-process.js'
import { StoredReader, strays } from './stored.js'

/** Random commands for a service, and for a model of it; after each the folders are what the model says. */
export const row: Row = { needs: ['linux'], ci: 500, record: 20_000, run }

const COMMANDS = 40
const COMMANDS_OF_MANY = 100
const MANY = 1_000

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = { commands: 0 }
  const commands = n >= MANY ? COMMANDS_OF_MANY : COMMANDS
  const fresh = Array.from({ length: n }, () => [random.integer(0, 2 ** 31), commands] as const)
  for (const [seed, length] of [...MODEL_SEEDS, ...fresh]) {
    const problems = await runOne(seed, length, counts)
    failures.push(...problems.map(problem => `seed ${seed}, ${length} commands: ${problem}`))
    if (failures.length > MOST_FAILURES) break
  }
  return { n, failures, counts }
}

const MOST_FAILURES = 20

async function runOne(seed: number, length: number, counts: Record<string, number>): Promise<string[]> {
  using scratch = new Scratch()
  await using run = await ModelRun.start(scratch.path, new Random(seed))
  for (let i = 0; i < length; i++) {
    const { command, problems } = await run.step()
    counts.commands = (counts.commands ?? 0) + 1
    counts[command] = (counts[command] ?? 0) + 1
    if (problems.length > 0) return problems.map(problem => `${command} (${i}): ${problem}`)
  }
  return await run.finish()
}

type Command = 'send' | 'large' | 'fill' | 'kill' | 'restart' | 'read' | 'delete' | 'jump'

const COMMANDS_BY_WEIGHT: readonly Command[] = [
  ...([
    'send',
    'send',
    'send',
    'send',
    'send',
    'send',
    'send',
    'send',
    'send',
    'large',
    'fill',
    'fill',
  ] as const),
  ...(['kill', 'restart', 'read', 'read', 'delete', 'delete', 'jump', 'jump'] as const),
]
const CLOCKS = ['+0', '-2h', '+10y', '-1d', '+1h']

/** One sequence of commands. */
class ModelRun {
  readonly #random: Random
  readonly #folders: Folders
  readonly #limits: ModelLimits
  readonly #durability: 'full' | 'os'
  readonly #model: MailboxModel
  readonly #ledger: Ledger
  readonly #stored: StoredReader
  readonly #socket: string
  readonly #clock: string
  /** What is visible, in the order in which it came. */
  #shown: { inbox: Map<string, Shown>; received: Map<string, Shown> } = {
    inbox: new Map(),
    received: new Map(),
  }
  #service: ServiceProcess | undefined
  #client: Client | undefined

  private constructor(root: string, random: Random) {
    this.#random = random
    this.#folders = foldersIn(root)
    this.#socket = join(root, 's')
    this.#clock = join(root, 'clock')
    this.#limits = {
      whenFull: random.pick(['evict', 'refuse'] as const),
      inboxMaxFiles: random.pick([3, 10, 1_000]),
      inboxMaxBytes: random.pick([8_000, 60_000, 4_000_000]),
      receivedMaxBytes: random.pick([5_000, 100_000, 4_000_000]),
      isOrdered: FAKETIME === undefined || random.chance(0.7),
    }
    // What a killed process leaves is the same with both, and most of the time goes into waiting for the disk.
    this.#durability = random.pick(['full', 'os', 'os', 'os'] as const)
    this.#model = new MailboxModel(this.#limits)
    this.#ledger = new Ledger(this.#folders)
    this.#stored = new StoredReader(this.#folders)
  }

  static async start(root: string, random: Random): Promise<ModelRun> {
    const run = new ModelRun(root, random)
    await run.#open()
    return run
  }

  async step(): Promise<{ command: Command; problems: string[] }> {
    const command = this.#random.pick(COMMANDS_BY_WEIGHT)
    return { command, problems: await this.#carryOut(command) }
  }

  /** What is wrong at the end. */
  async finish(): Promise<string[]> {
    const problems = await this.#restart([])
    return [...problems, ...temporaries(this.#folders).map(path => `left behind: ${path}`)]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service?.kill()
    await this.#client?.close()
  }

  async #carryOut(command: Command): Promise<string[]> {
    switch (command) {
      case 'send':
        return this.#send(3_000)
      case 'large':
        return this.#send(600_000)
      case 'fill':
        return this.#fill()
      case 'kill':
        return this.#kill()
      case 'restart':
        return this.#restart([])
      case 'read':
        return this.#read()
      case 'delete':
        return this.#delete()
      case 'jump':
        if (!this.#limits.isOrdered) writeFileSync(this.#clock, `${this.#random.pick(CLOCKS)}\n`)
        return []
    }
  }

  async #send(mostBytes: number): Promise<string[]> {
    return this.#compare([await this.#deliver(mostBytes)])
  }

  /** One after the other: of several at once, any may be the one that does not fit. */
  async #fill(): Promise<string[]> {
    for (let left = this.#random.integer(2, 8); left > 0; left--) {
      const problems = await this.#send(5_000)
      if (problems.length > 0) return problems
    }
    return []
  }

  /** SIGKILL while several are being sent. */
  async #kill(): Promise<string[]> {
    const sent = Array.from({ length: this.#random.integer(2, 6) }, () => this.#deliver(20_000))
    await delay(this.#random.integer(0, 15))
    await this.#service?.kill()
    return this.#restart(await Promise.all(sent))
  }

  async #restart(sent: readonly Sent[]): Promise<string[]> {
    await this.#service?.kill()
    await this.#client?.close()
    // Before it starts: what a crash leaves has to be sound as it is.
    const problems = this.#compare(sent)
    await this.#open()
    this.#model.restarted()
    return problems
  }

  /** The library's own reading of the folders shows what is there. */
  async #read(): Promise<string[]> {
    const { inboxDir, receivedDir } = this.#folders
    const { messages } = await listMessages(inboxDir)
    const read = messages.map(message =>
      'damaged' in message ? message.damaged : keyOf(message.type, messagePayload(message)),
    )
    const there = [...this.#shown.inbox.values()].map(({ key }) => key)
    const { files } = await listReceived(receivedDir)
    const problems = read.sort().join() === there.sort().join() ? [] : [`listed as: ${read.join()}`]
    if (files.length !== this.#shown.received.size) problems.push(`${files.length} files listed`)
    return problems
  }

  /** Another program removes a few. */
  async #delete(): Promise<string[]> {
    for (const path of [...this.#shown.inbox.keys(), ...this.#shown.received.keys()]) {
      if (!this.#random.chance(0.3)) continue
      rmSync(path)
      this.#model.removed(path)
    }
    return this.#compare([])
  }

  async #deliver(mostBytes: number): Promise<Sent> {
    const kind = this.#random.pick<Kind>(['TEXT', 'TEXT', 'JSON', 'BINARY', 'FILE', 'FILE'])
    const bytes = this.#random.integer(100, mostBytes)
    const item = makeItem(this.#random, kind, bytes)
    const outcome = await deliver(this.#client as Client, item, this.#ledger)
    return { key: item.key, isFile: kind === 'FILE', bytes, outcome }
  }

  async #open(): Promise<void> {
    const { isOrdered, ...limits } = this.#limits
    if (!isOrdered) writeFileSync(this.#clock, '+0\n')
    this.#service = await ServiceProcess.start({
      socket: this.#socket,
      config: { ...this.#folders, ...limits, durability: this.#durability },
      env: isOrdered ? {} : fakeClockFile(this.#clock),
    })
    this.#client = await this.#service.dial()
  }

  #compare(sent: readonly Sent[]): string[] {
    const found = this.#stored.read()
    const { inbox, received } = this.#shown
    const paths = found.map(({ path }) => path).sort(byStamp)
    // What is new comes after what was there.
    const keys = new Map(found.map(({ path, key = '' }) => [path, key]))
    const shownIn = (dir: string, before: Map<string, Shown>) =>
      new Map(
        [...new Set([...before.keys(), ...paths.filter(path => path.startsWith(`${dir}/`))])]
          .filter(path => keys.has(path))
          .map(path => [path, { key: keys.get(path) ?? '', size: statSync(path).size }]),
      )
    this.#shown = {
      inbox: shownIn(this.#folders.inboxDir, inbox),
      received: shownIn(this.#folders.receivedDir, received),
    }
    return [...strays(found), ...this.#model.compare(sent, this.#shown)]
  }
}

/** By the time and the number in the name. */
function byStamp(one: string, other: string): number {
  const stamp = (path: string) => /\d{8}-\d{6}\.\d{3}-\d{6}/.exec(path)?.[0] ?? ''
  return stamp(one) < stamp(other) ? -1 : 1
}
