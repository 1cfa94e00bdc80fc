import { join } from 'node:path'
import type { Folders } from './folders.js'
import { type Item, type Kind, makeItem } from './items.js'
import type { Ledger } from './ledger.js'
import { deliver, type Outcome } from './load.js'
import type { Random } from './random.js'
import { ServiceProcess } from './service-process.js'
import { type Call, Strace } from './strace.js'

/** The ways that the mailbox saves: in one piece, through a spool, and while the bytes arrive. */
export const SAVES: readonly { name: string; kind: Kind; size: number }[] = [
  { name: 'small message', kind: 'TEXT', size: 1_000 },
  { name: 'large message', kind: 'TEXT', size: 300_000 },
  { name: 'small file', kind: 'FILE', size: 1_000 },
  { name: 'streamed file', kind: 'FILE', size: 300_000 },
]

/** A service whose calls on the mailbox's files can be watched, and made to fail. */
export class TracedService {
  readonly process: ServiceProcess
  readonly #folders: Folders
  readonly #ledger: Ledger
  /** What the names of its temporaries begin with, up to their number. */
  #prefix = ''
  #temporary = 0

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
    for (const { text } of calls) this.#learn(text)
    await client.close().catch(() => {})
    const { inboxDir, receivedDir } = this.#folders
    const isOurs = ({ text }: Call) => text.includes(inboxDir) || text.includes(receivedDir)
    return { outcome, calls: calls.filter(isOurs) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
  }

  #learn(text: string): void {
    const [, prefix, number] = /\.tmp\/([0-9]+-[0-9a-f]+-)([0-9]+)\.tmp/.exec(text) ?? []
    if (prefix === undefined) return
    this.#prefix = prefix
    this.#temporary = Math.max(this.#temporary, Number(number))
  }

  /** The paths of the next save; strace knows whole paths only. */
  #paths(): string[] {
    const { inboxDir, receivedDir } = this.#folders
    return [inboxDir, receivedDir].flatMap(dir => {
      const next = [1, 2, 3, 4].map(more => join(dir, '.tmp', `${this.#prefix}${this.#temporary + more}.tmp`))
      return [dir, join(dir, '.tmp'), join(dir, '.records'), ...next]
    })
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
