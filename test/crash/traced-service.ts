import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Folders, IDS, idFiles, JOURNAL, PARTIALS } from './folders.js'
import { sha256 } from './items.js'
import type { Ledger } from './ledger.js'
import type { Outcome } from './load.js'
import type { Random } from './random.js'
import { makeParcel, type Parcel, sendParcel } from './saves.js'
import { ServiceProcess } from './service-process.js'
import { type Call, Strace } from './strace.js'

/** A service whose calls on the mailbox's files can be watched, and made to fail. */
export class TracedService {
  readonly process: ServiceProcess
  readonly #folders: Folders
  readonly #ledger: Ledger
  /** The names of its temporaries, of the segments of its journal, and of its files of message ids count on. */
  readonly #temporaries = new CountedNames('.tmp', '.tmp')
  readonly #segments = new CountedNames(JOURNAL, '.log')
  readonly #ids = new CountedNames(IDS, '.ids')

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
    // Under an id, so that all those names are known.
    await service.save(makeParcel(random, { kind: 'TEXT', size: 500, as: 'tagged' }))
    return service
  }

  /** Has `parcel` saved, under strace; with the calls on the mailbox's paths that it took. */
  async save(parcel: Parcel, inject: readonly string[] = []): Promise<{ outcome: Outcome; calls: Call[] }> {
    this.#removeHidden(parcel)
    const paths = inject.length === 0 ? [] : this.#paths(parcel)
    const strace = await Strace.attach({ pid: this.process.pid, paths, inject })
    const outcome = await sendParcel(this.process, parcel, this.#ledger)
    const calls = await strace.detach(outcome === 'unanswered')
    for (const { text } of calls)
      for (const names of [this.#temporaries, this.#segments, this.#ids]) names.learn(text)
    const { inboxDir, receivedDir } = this.#folders
    const isOurs = ({ text }: Call) => text.includes(inboxDir) || text.includes(receivedDir)
    return { outcome, calls: calls.filter(isOurs) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.kill()
  }

  /** As it is for the first of its kind, each time: the calls that make a hidden folder are tried too. */
  #removeHidden({ as }: Parcel): void {
    const { inboxDir, receivedDir } = this.#folders
    if (as === 'chunks') rmSync(join(receivedDir, PARTIALS), { recursive: true, force: true })
    if (as !== 'tagged') return
    // The repeated message was not seen.
    for (const path of idFiles(this.#folders)) this.#ids.learn(path)
    rmSync(join(inboxDir, IDS), { recursive: true, force: true })
  }

  /** The paths of the next save; strace knows whole paths only. */
  #paths({ as, message }: Parcel): string[] {
    const { inboxDir, receivedDir } = this.#folders
    const folders = [inboxDir, receivedDir].flatMap(dir => {
      const next = this.#temporaries.around(1, 4).map(name => join(dir, name))
      return [dir, join(dir, '.tmp'), join(dir, '.records'), ...next]
    })
    const journal = [JOURNAL, ...this.#segments.around(0, 3)].map(name => join(inboxDir, name))
    const ids = as === 'tagged' ? [IDS, ...this.#ids.around(0, 4)].map(name => join(inboxDir, name)) : []
    const partial =
      as === 'chunks' && 'file' in message && Buffer.isBuffer(message.file) ? partialOf(message.file) : []
    return [...folders, ...journal, ...ids, ...partial.map(name => join(receivedDir, name))]
  }
}

/** The paths of a partial file and of its owner. */
function partialOf(content: Buffer): string[] {
  const path = join(PARTIALS, sha256(content).slice(0, 32))
  return [PARTIALS, path, `${path}.owner`]
}

/** Names in a subfolder of the mailbox that end in a number, as they are seen in the calls of their process. */
class CountedNames {
  readonly #folder: string
  readonly #suffix: string
  readonly #pattern: RegExp
  /** Their beginning, up to the number. */
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
