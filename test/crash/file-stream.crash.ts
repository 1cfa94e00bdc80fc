import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SocketStreams } from '../helpers/socket-streams.js'
import { type ChunkedOutcome, sendInChunks } from './chunked.js'
import { FolderReader } from './folder-reader.js'
import { foldersIn, Scratch, temporaries } from './folders.js'
import { type Item, makeItem } from './items.js'
import { Ledger } from './ledger.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { type ServiceOptions, ServiceProcess } from './service-process.js'

/**
 * SIGKILL while a file comes in chunks, after a random byte of it, again and again until it is there; what the
 * partial file holds is now and then damaged between, as a power cut may leave it.
 */
export const row: Row = { needs: [], ci: 100, record: 1_000, run }

const MOST_BYTES = 2 * 1024 * 1024
const FILES_A_FOLDER = 10

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts = { files: 0, resumed: 0, damaged: 0, read: 0 }
  for (let kills = 0; kills < n; ) {
    using scratch = new Scratch()
    const folders = foldersIn(scratch.path)
    const victim = { socket: join(scratch.path, 's'), config: folders }
    const ledger = new Ledger(folders)
    await using reader = new FolderReader(folders)
    reader.resume()
    for (let i = 0; i < FILES_A_FOLDER && kills < n; i++) {
      const item = makeItem(random, 'FILE', random.chance(0.1) ? 0 : random.integer(1, MOST_BYTES))
      const transfer = new Persistence(victim, item, ledger, random)
      kills += await transfer.run(n - kills)
      failures.push(...transfer.problems, ...ledger.compare())
      failures.push(...temporaries(folders).map(path => `not swept: ${path}`))
      counts.files++
      counts.resumed += transfer.resumed
      counts.damaged += transfer.damaged
    }
    failures.push(...(await reader.pause()))
    counts.read += reader.reads
  }
  return { n, failures, counts }
}

/** Sends one file until it is there, through kills. */
class Persistence {
  readonly problems: string[] = []
  resumed = 0
  damaged = 0
  readonly #victim: ServiceOptions
  readonly #item: Item
  readonly #ledger: Ledger
  readonly #random: Random
  readonly #partials: string

  constructor(victim: ServiceOptions, item: Item, ledger: Ledger, random: Random) {
    this.#victim = victim
    this.#item = item
    this.#ledger = ledger
    this.#random = random
    this.#partials = join(victim.config.receivedDir ?? '', '.partial')
  }

  /** Gives how many kills it took, at most `most`. */
  async run(most: number): Promise<number> {
    let kills = 0
    let isDamaged = false
    // Half of the files are killed once, a quarter twice, and so on.
    for (let wanted = 1; ; wanted = this.#random.chance(0.5) ? 1 : 0) {
      const isKilled = wanted > 0 && kills < most
      const outcome = await this.#try(isKilled)
      if (isKilled) kills++
      this.problems.push(...this.#ledger.compare())
      if (outcome === 'acknowledged') return kills
      if (outcome === 'refused' && !isDamaged)
        this.problems.push(`an honest sender was refused: ${this.#item.key}`)
      if (outcome === 'unanswered' && !isKilled) this.problems.push(`no answer: ${this.#item.key}`)
      if (this.problems.length > 0) return Math.max(kills, 1)
      // A refusal has discarded it.
      isDamaged = (outcome !== 'refused' && isDamaged) || (this.#random.chance(0.15) && this.#damage())
    }
  }

  async #try(isKilled: boolean): Promise<ChunkedOutcome> {
    await using service = await ServiceProcess.start(this.#victim)
    const there = this.#sizeOfPartial()
    const size = Number(this.#item.key.split(' ')[1])
    const stopAt = this.#random.integer(Math.min(there, size), size + Math.ceil(size / 4))
    let killed: Promise<void> | undefined
    const outcome = await sendInChunks({
      stream: await new SocketStreams(this.#victim.socket).dial(),
      item: this.#item,
      ledger: this.#ledger,
      onOffset: offset => {
        if (offset !== there) this.problems.push(`goes on at ${offset} where ${there} bytes are`)
        this.resumed += offset
      },
      ...(isKilled && {
        stopAt,
        onReached: () => {
          // After DONE: at any step of checking and publishing.
          killed ??= delay(stopAt < size ? 0 : this.#random.integer(0, 12)).then(() => service.kill())
        },
      }),
    })
    await killed
    return outcome
  }

  #sizeOfPartial(): number {
    const [path] = this.#paths()
    return path === undefined ? 0 : statSync(path).size
  }

  /** True where there was something to damage. */
  #damage(): boolean {
    const [path] = this.#paths()
    const content = path === undefined ? undefined : readFileSync(path)
    if (path === undefined || !content?.length) return false
    this.damaged++
    const at = this.#random.integer(0, content.length - 1)
    if (this.#random.chance(0.3)) {
      // The size, and none of the bytes.
      truncateSync(path, 0)
      truncateSync(path, content.length)
    } else {
      content[at] = (content[at] ?? 0) ^ 0xff
      writeFileSync(path, content)
    }
    return true
  }

  #paths(): string[] {
    try {
      const names = readdirSync(this.#partials).filter(name => !name.endsWith('.owner'))
      return names
        .filter(name => statSync(join(this.#partials, name)).nlink === 1)
        .map(name => join(this.#partials, name))
    } catch {
      return []
    }
  }
}
