import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from '#lib/client/client.js'
import { listMessages, messagePayload } from '#lib/mailbox/inbox/read.js'
import { listReceived } from '#lib/mailbox/received/read.js'
import { type Folders, foldersIn, temporaries } from './folders.js'
import { type Kind, keyOf, makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver } from './load.js'
import { MailboxModel, type ModelLimits, type Sent, type Shown } from './mailbox-model.js'
import type { Random } from './random.js'
import type { Served, ServiceProcess } from './service-process.js'
import { StoredReader, strays } from './stored.js'

/** The commands for a mailbox, weighted by repetition. */
type Command = 'send' | 'large' | 'fill' | 'read' | 'delete' | 'jump'

const COMMANDS: readonly Command[] = [
  ...Array<Command>(9).fill('send'),
  ...(['large', 'fill', 'fill', 'read', 'read', 'delete', 'delete', 'jump', 'jump'] as const),
]
const CLOCKS = ['+0', '-2h', '+10y', '-1d', '+1h']
/** Sends that are cut off do not all start at the same moment. */
const SPREAD_MS = 15

/** One mailbox, its model, and the commands for it. */
export class ModelRun {
  /** The folders and options of its service. */
  readonly served: Served
  readonly #random: Random
  readonly #folders: Folders
  readonly #limits: ModelLimits
  readonly #clock: string | undefined
  readonly #model: MailboxModel
  readonly #ledger: Ledger
  readonly #stored: StoredReader
  /** The visible files, in order of arrival. */
  #shown: { inbox: Map<string, Shown>; received: Map<string, Shown> } = {
    inbox: new Map(),
    received: new Map(),
  }
  #client: Client | undefined

  /** In the folder `root`; `clock` is the file that sets the clock, where it is set. */
  constructor(root: string, random: Random, clock: string | undefined) {
    mkdirSync(root)
    this.#random = random
    this.#clock = clock
    this.#folders = foldersIn(root)
    const limits = {
      whenFull: random.pick(['evict', 'refuse'] as const),
      inboxMaxFiles: random.pick([3, 10, 1_000]),
      inboxMaxBytes: random.pick([8_000, 60_000, 4_000_000]),
      receivedMaxBytes: random.pick([5_000, 100_000, 4_000_000]),
    }
    // A killed process leaves the same with both, and most of the time is spent waiting for the disk.
    const durability = random.pick(['full', 'os', 'os', 'os'] as const)
    this.served = { socket: join(root, 's'), config: { ...this.#folders, ...limits, durability } }
    this.#limits = { ...limits, isOrdered: clock === undefined }
    this.#model = new MailboxModel(this.#limits)
    this.#ledger = new Ledger(this.#folders)
    this.#stored = new StoredReader(this.#folders)
  }

  async connect(service: ServiceProcess): Promise<void> {
    this.#client = await service.dial(this.served.socket)
  }

  async disconnect(): Promise<void> {
    await this.#client?.close()
  }

  /** The service has been started again. */
  restarted(): void {
    this.#model.restarted()
  }

  temporaries(): string[] {
    return temporaries(this.#folders)
  }

  /** One command, and what is wrong after it. */
  async step(): Promise<{ command: Command; problems: string[] }> {
    const command = this.#random.pick(COMMANDS)
    return { command, problems: await this.#carryOut(command) }
  }

  /** Sends several, of which none may be answered. */
  async sendAtOnce(): Promise<Sent[]> {
    await delay(this.#random.integer(0, SPREAD_MS))
    const sent = Array.from({ length: this.#random.integer(2, 6) }, () => this.#deliver(20_000))
    return Promise.all(sent)
  }

  /** Returns the errors in the files after `sent` was sent. */
  compare(sent: readonly Sent[]): string[] {
    const found = this.#stored.read()
    const { inbox, received } = this.#shown
    const keys = new Map(found.map(({ path, key = '' }) => [path, key]))
    // New files come after existing ones.
    const fresh = found.map(({ path }) => path).filter(path => !inbox.has(path) && !received.has(path))
    fresh.sort(byStamp)
    const shownIn = (dir: string, before: ReadonlyMap<string, Shown>) =>
      new Map([
        ...[...before].filter(([path]) => keys.has(path)),
        ...fresh
          .filter(path => path.startsWith(`${dir}/`))
          .map(path => [path, { key: keys.get(path) ?? '', size: statSync(path).size }] as const),
      ])
    this.#shown = {
      inbox: shownIn(this.#folders.inboxDir, inbox),
      received: shownIn(this.#folders.receivedDir, received),
    }
    return [...strays(found), ...this.#model.compare(sent, this.#shown)]
  }

  async #carryOut(command: Command): Promise<string[]> {
    switch (command) {
      case 'send':
        return this.#send(3_000)
      case 'large':
        return this.#send(600_000)
      case 'fill':
        return this.#fill()
      case 'read':
        return this.#read()
      case 'delete':
        return this.#delete()
      case 'jump':
        if (this.#clock !== undefined) this.#setClock(this.#clock)
        return []
    }
  }

  async #send(mostBytes: number): Promise<string[]> {
    return this.compare([await this.#deliver(mostBytes)])
  }

  /** One after the other: of several at once, any may be the one that does not fit. */
  async #fill(): Promise<string[]> {
    for (let left = this.#random.integer(2, 8); left > 0; left--) {
      const problems = await this.#send(5_000)
      if (problems.length > 0) return problems
    }
    return []
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
    return this.compare([])
  }

  /** Never half-written: the process looks at it all the while. */
  #setClock(path: string): void {
    const next = join(this.#folders.inboxDir, '..', 'next-clock')
    writeFileSync(next, `${this.#random.pick(CLOCKS)}\n`)
    renameSync(next, path)
  }

  async #deliver(mostBytes: number): Promise<Sent> {
    const kind = this.#random.pick<Kind>(['TEXT', 'TEXT', 'JSON', 'BINARY', 'FILE', 'FILE'])
    const bytes = this.#random.integer(100, mostBytes)
    const item = makeItem(this.#random, kind, bytes)
    const outcome = await deliver(this.#client as Client, item, this.#ledger)
    return { key: item.key, isFile: kind === 'FILE', bytes, outcome }
  }
}

/** By the time and the number in the name. */
function byStamp(one: string, other: string): number {
  const stamp = (path: string) => /\d{8}-\d{6}\.\d{3}-\d{6}/.exec(path)?.[0] ?? ''
  return stamp(one) < stamp(other) ? -1 : 1
}
