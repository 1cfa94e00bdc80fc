import { join } from 'node:path'
import { type Folders, JOURNAL } from './folders.js'
import { type Item, type Kind, makeItem } from './items.js'
import type { Ledger } from './ledger.js'
import { deliver, type Outcome } from './load.js'
import type { Random } from './random.js'
import { ServiceProcess } from './service-process.js'
import { type Call, Strace } from './strace.js'

/** The ways that the mailbox saves: through the journal, in one piece, through a spool, and while the bytes arrive. */
export const SAVES: readonly { name: string; kind: Kind; size: number }[] = [
  { name: 'small message', kind: 'TEXT', size: 1_000 },
  { name: 'medium message', kind: 'TEXT', size: 200_000 },
  { name: 'large message', kind: 'TEXT', size: 300_000 },
  { name: 'small file', kind: 'FILE', size: 1_000 },
  { name: 'streamed file', kind: 'FILE', size: 300_000 },
]

/** A service whose calls on the mailbox's files can be watched, and made to fail. */
export class TracedService {
  readonly process: ServiceProcess
  readonly #folders: Folders
  readonly #ledger: Ledger
  /** The names of its temporaries, and of the segments of its journal, count on. */
  readonly #temporaries = new CountedNames('.tmp', '.tmp')
  readonly #segments = new CountedNames(JOURNAL, '.log')

  private constructor(process: ServiceProcess, folders: Folders, ledger: Ledger) {
    this.process = process
    this.#folders = folders
    this.#ledger = ledger
  }

  static async start(root: string, folders: Folders, ledger: Ledger, random: Random): Promise<TracedService> {
    const process = await ServiceProcess.start({
      socket: join(root, 's'),
      config: folders,
      // One thread for all calls, so that they come in one order.
      env: { UV_THREADPOOL_SIZE: '1' },
    })
    const service = new TracedService(process, folders, ledger)
    await service.save(makeItem(random, 'TEXT', 500))
    return service
  }

  /** Has `item` saved, under strace; with the calls on the mailbox's paths that it took. */
  async save(item: Item, inject: readonly string[] = []): Promise<{ outcome: Outcome; calls: Call[] }> {
    const client = await this.process.dial()
    const paths = inject.length === 0 ? [] : this.#paths()
    const strace = await Strace.attach({ pid: this.process.pid, paths, inject })
    const outcome = await deliver(client, item, this.#ledger)
    const calls = await strace.detach(outcome === 'unanswered')
    for (const { text } of calls) {
      this.#temporaries.learn(text)
      this.#segments.learn(text)
    }
    await client.close().catch(() => {})
    const { inboxDir, receivedDir } = this.#folders
    const isOurs = ({ text }: Call) => text.includes(inboxDir) || text.includes(receivedDir)
    return { outcome, calls: calls.filter(isOurs) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
  }

  /** The paths of the next save; strace knows whole paths only. */
  #paths(): string[] {
    const { inboxDir, receivedDir } = this.#folders
    const folders = [inboxDir, receivedDir].flatMap(dir => {
      const next = this.#temporaries.around(1, 4).map(name => join(dir, name))
      return [dir, join(dir, '.tmp'), join(dir, '.records'), ...next]
    })
    const journal = [JOURNAL, ...this.#segments.around(0, 3)].map(name => join(inboxDir, name))
    return [...folders, ...journal]
  }
}

/** Names in a subfolder of the mailbox that end in a number, as they are seen in the calls of their process. */
class CountedNames {
  readonly #folder: string
  readonly #suffix: string
  readonly #pattern: RegExp
  /** What they begin with, up to their number. */
  #prefix = ''
  #latest = 0

  constructor(folder: string, suffix: string) {
    this.#folder = folder
    this.#suffix = suffix
    this.#pattern = new RegExp(`\\${folder}/([0-9]+-[0-9a-f]+-)([0-9]+)\\${suffix}`)
  }

  learn(text: string): void {
    const [, prefix, number] = this.#pattern.exec(text) ?? []
    if (prefix === undefined) return
    this.#prefix = prefix
    this.#latest = Math.max(this.#latest, Number(number))
  }

  /** From the one that is `from` after the latest that was seen to the one that is `to` after it. */
  around(from: number, to: number): string[] {
    const numbers = Array.from({ length: to - from + 1 }, (_, i) => this.#latest + from + i)
    return numbers.map(number => join(this.#folder, `${this.#prefix}${number}${this.#suffix}`))
  }
}

/** Which of its thread's calls of that name each call is, from 1. */
export function numbered(calls: readonly Call[]): { call: Call; number: number }[] {
  const counts = new Map<string, number>()
  return calls.map(call => {
    const key = `${call.thread} ${call.name}`
    const number = (counts.get(key) ?? 0) + 1
    counts.set(key, number)
    return { call, number }
  })
}
