import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '#lib/client/client.js'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { Driver } from '#lib/pilot/driver.js'
import { command } from './commands.js'
import { insist, unmount } from './disk.js'
import { type Folders, foldersIn, Scratch, temporaries } from './folders.js'
import { makeItem } from './items.js'
import { Ledger } from './ledger.js'
import { deliver, Load, type Outcome } from './load.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { type Save, WHOLE_SAVES } from './saves.js'
import { ServiceProcess } from './service-process.js'

/**
 * Disks that are full, folders that are not what they were, and too few descriptors: the service stays up,
 * peers get ERR, and once the cause is gone saves work again and all that was acknowledged is there.
 */
export const row: Row = { needs: ['linux', 'root', 'prlimit'], ci: 1, record: 20, run }

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  for (let i = 0; i < n; i++) {
    for (const [name, work] of Object.entries(CASES)) {
      using scratch = new Scratch()
      const trial = new Trial(scratch.path, random)
      try {
        await work(trial)
      } finally {
        await trial.end()
      }
      failures.push(...trial.failures.map(failure => `${name}: ${failure}`))
      counts[`${name}, refused`] = (counts[`${name}, refused`] ?? 0) + trial.ledger.totals.refused
    }
  }
  return { n: n * Object.keys(CASES).length, failures, counts }
}

const CASES: Record<string, (trial: Trial) => Promise<void>> = {
  'a disk without room': trial =>
    trial.withTmpfs('size=3m', async () => {
      await trial.start()
      await trial.fill()
      await trial.remount('size=200m')
      await trial.expectService()
    }),

  'a disk without inodes': trial =>
    trial.withTmpfs('size=200m,nr_inodes=60', async () => {
      await trial.start()
      await trial.fill()
      await trial.remount('nr_inodes=20000')
      await trial.expectService()
    }),

  'a disk made read-only': trial =>
    trial.withTmpfs('size=100m', async () => {
      await trial.start()
      await trial.expectService()
      await trial.remount('ro')
      await trial.expectRefusals()
      await trial.remount('rw')
      await trial.expectService()
    }),

  'folders deleted': async trial => {
    await trial.start()
    await trial.expectService()
    trial.eachFolder(dir => rmSync(dir, { recursive: true }))
    trial.forget()
    await trial.expectService()
  },

  'folders replaced by files': async trial => {
    await trial.start()
    await trial.expectService()
    trial.eachFolder(dir => renameSync(dir, `${dir}.away`))
    trial.eachFolder(dir => writeFileSync(dir, 'in the way'))
    await trial.expectRefusals()
    trial.eachFolder(dir => rmSync(dir))
    trial.eachFolder(dir => renameSync(`${dir}.away`, dir))
    await trial.expectService()
  },

  'folders replaced by links to nowhere': async trial => {
    await trial.start()
    await trial.expectService()
    trial.eachFolder(dir => renameSync(dir, `${dir}.away`))
    trial.eachFolder(dir => symlinkSync(`${dir}.nowhere/at/all`, dir))
    await trial.expectRefusals()
    trial.eachFolder(dir => rmSync(dir))
    trial.eachFolder(dir => renameSync(`${dir}.away`, dir))
    await trial.expectService()
  },

  'folders moved, and links left in their place': async trial => {
    await trial.start()
    await trial.expectService()
    trial.eachFolder(dir => mkdirSync(`${dir}.elsewhere`))
    trial.eachFolder(dir => renameSync(dir, `${dir}.elsewhere/moved`))
    trial.eachFolder(dir => symlinkSync(`${dir}.elsewhere/moved`, dir))
    await trial.expectService()
  },

  '200 peers and 64 descriptors': async trial => {
    const socketPath = join(trial.root, 'daemon')
    const directory = join(trial.root, 'nodes')
    await using daemon = await EmbeddedDaemon.start({ socketPath, directory, hostname: 'server' })
    await trial.start({ descriptors: 64, daemon: socketPath })
    const driver = await Driver.connect(socketPath)
    try {
      trial.dial = () => Client.dial(driver, daemon.address)
      await trial.expectService()
      const peers: Client[] = []
      for (let i = 0; i < 200; i++) peers.push(await trial.dial())
      const outcomes = await Promise.all(
        peers.flatMap(peer =>
          WHOLE_SAVES.map(async save => ({ save, outcome: await trial.save(peer, save) })),
        ),
      )
      // Large ones wait for a descriptor, and on a slow machine some for too long.
      const small = outcomes.filter(({ save, outcome }) => save.size < 10_000 && outcome !== 'acknowledged')
      if (small.length > 0) trial.failures.push(`${small.length} small ones were not saved`)
      await Promise.all(peers.map(peer => peer.close()))
      trial.compare()
      await trial.expectService()
    } finally {
      await trial.end()
      await driver.close()
    }
  },

  '200 connections that are descriptors, of 64': async trial => {
    await trial.start({ descriptors: 64 })
    await trial.expectService()
    const peers: Client[] = []
    for (let i = 0; i < 200; i++) peers.push(await trial.dial())
    const outcomes: Outcome[] = []
    for (const peer of peers) {
      for (const save of WHOLE_SAVES) outcomes.push(await trial.save(peer, save))
      if (outcomes.includes('refused')) break
    }
    const served = outcomes.filter(outcome => outcome === 'acknowledged').length
    if (outcomes.includes('refused')) trial.failures.push('connections have taken the descriptors of saves')
    else if (served < WHOLE_SAVES.length * 4) trial.failures.push(`only ${served} were saved`)
    await Promise.all(peers.map(peer => peer.close().catch(() => {})))
    trial.compare()
    await trial.expectService()
  },
}

class Trial {
  readonly root: string
  readonly failures: string[] = []
  readonly #random: Random
  #folders: Folders
  #mountPoint = ''
  ledger: Ledger
  #service: ServiceProcess | undefined
  dial: () => Promise<Client> = () => this.#running.dial()

  constructor(root: string, random: Random) {
    this.root = root
    this.#random = random
    this.#folders = foldersIn(root)
    this.ledger = new Ledger(this.#folders)
  }

  async start(options: { descriptors?: number; daemon?: string } = {}): Promise<void> {
    const socket = join(this.root, 's')
    this.#service = await ServiceProcess.start({ socket, config: this.#folders, ...options })
  }

  async end(): Promise<void> {
    await this.#service?.kill()
  }

  async withTmpfs(options: string, use: () => Promise<void>): Promise<void> {
    this.#mountPoint = join(this.root, 'disk')
    mkdirSync(this.#mountPoint)
    command('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', this.#mountPoint)
    try {
      this.#folders = foldersIn(this.#mountPoint)
      this.forget()
      await use()
    } finally {
      await this.end()
      await unmount(this.#mountPoint)
    }
  }

  /** A segment of a journal keeps a disk from being made read-only until it is full, or old. */
  async remount(options: string): Promise<void> {
    await insist(() => command('mount', '-o', `remount,${options}`, this.#mountPoint))
  }

  eachFolder(act: (dir: string) => void): void {
    act(this.#folders.inboxDir)
    act(this.#folders.receivedDir)
  }

  /** The operator has taken away what was there. */
  forget(): void {
    this.ledger = new Ledger(this.#folders)
  }

  /** Sends until everything has been refused for a while. */
  async fill(): Promise<void> {
    const load = new Load({ dial: () => this.dial(), ledger: this.ledger, random: this.#random })
    let isOver = false
    void load.ended.then(() => {
      isOver = true
    })
    while (this.ledger.totals.refused < 50) {
      await delay(20)
      if (!this.#running.isAlive) throw new Error('the service has died')
      if (isOver) throw new Error('those that fill the disk had no answer')
    }
    load.stop()
    await load.ended
    this.compare()
  }

  /** Everything is saved. */
  async expectService(): Promise<void> {
    await this.#expect('acknowledged')
  }

  /** Nothing is. */
  async expectRefusals(): Promise<void> {
    await this.#expect('refused')
  }

  save(peer: Client, { kind, size }: Save): Promise<Outcome> {
    return deliver(peer, makeItem(this.#random, kind, size), this.ledger)
  }

  compare(): void {
    this.failures.push(...this.ledger.compare())
    this.failures.push(...temporaries(this.#folders).map(path => `left behind: ${path}`))
    if (!this.#running.isAlive) this.failures.push('the service has died')
  }

  async #expect(wanted: Outcome): Promise<void> {
    const peer = await this.dial()
    for (const save of WHOLE_SAVES) {
      const outcome = await this.save(peer, save)
      if (outcome !== wanted) this.failures.push(`${save.name} is ${outcome}, not ${wanted}`)
    }
    await peer.close()
    if (wanted === 'acknowledged') this.compare()
  }

  get #running(): ServiceProcess {
    if (this.#service === undefined) throw new Error('nothing is being served')
    return this.#service
  }
}
