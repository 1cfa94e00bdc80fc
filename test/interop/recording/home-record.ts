import type { ChildProcess } from 'node:child_process'
import { basename } from 'node:path'
import { MAIN, type Sandbox } from '../../helpers/cli.js'
import type { Recorder } from './recorder.js'
import type { RecordedHome } from './stored.js'
import { daemonSocket, type Program, type Whose } from './transcript.js'

interface Recordable extends Pick<Sandbox, 'dir' | 'socket' | 'env'> {
  messages(): Record<string, unknown>[]
  files(): Map<string, Buffer>
}

/** The record of one home: each program of one side that speaks to a daemon of the other, and its files. */
export class HomeRecord implements RecordedHome {
  readonly #recorder: Recorder
  readonly #box: Recordable
  readonly #name: string
  address = ''
  daemon: Whose = 'ours'
  service: Whose | undefined

  constructor(recorder: Recorder, box: Recordable) {
    this.#recorder = recorder
    this.#box = box
    this.#name = recorder.home(this)
  }

  messages(): Record<string, unknown>[] {
    return this.#box.messages()
  }

  files(): Map<string, Buffer> {
    return this.#box.files()
  }

  daemonStarts(flags: readonly string[]): void {
    this.daemon = 'theirs'
    // The first daemon of the registry's gets the first address.
    this.address = `0:0000.0000.000${this.#name.charCodeAt(0) - 96}`
    this.service = flags.includes('-no-dataexchange') ? undefined : 'theirs'
  }

  serves({ address }: { address: string }): void {
    this.service = 'ours'
    this.address = address
  }

  fileWritten(name: string, content: Uint8Array): void {
    this.#recorder.file(this.#name, name, content)
  }

  /** The socket for our driver in the process of the test. */
  driverSocket(): string {
    return this.#tap(this.#start('driver', 'ours', []))
  }

  /** Undefined for what is not recorded: daemons, and what theirs do among themselves but for what they send. */
  programStarts(
    program: string,
    args: readonly string[],
  ): { env: NodeJS.ProcessEnv; watch: (child: ChildProcess) => void } | undefined {
    const isOurs = args[0] === MAIN
    const name = isOurs ? 'pilot-dx' : basename(program)
    const words = isOurs ? args.slice(1) : args
    if (name !== 'pilot-dx' && name !== 'pilotctl' && name !== 'python3') return undefined
    const whose = isOurs ? 'ours' : 'theirs'
    const isDaemon = isOurs && words.includes('--embedded')
    if (whose === this.daemon && !isDaemon && !words.some(word => word.startsWith('send-'))) return undefined
    const index = this.#start(name, whose, words)
    const isTapped = whose !== this.daemon
    const env = isTapped ? { ...this.#box.env, PILOT_SOCKET: this.#tap(index) } : this.#box.env
    return { env, watch: child => this.#watch(child, index) }
  }

  #start(name: Program['name'], whose: Whose, args: readonly string[]): number {
    return this.#recorder.start({ whose, home: this.#name, name, args }, this.#box.dir)
  }

  #tap(program: number): string {
    const path = daemonSocket(this.#box.dir, program)
    this.#recorder.tap(program, path, this.#box.socket)
    return path
  }

  #watch(child: ChildProcess, program: number): void {
    const told: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => told.push(chunk))
    child.once('close', code => {
      this.#recorder.exit(program, code, lastLine(Buffer.concat(told).toString()), this.#box.dir)
    })
  }
}

/** The JSON that a program ended with. */
function lastLine(text: string): unknown {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')
  } catch {
    return undefined
  }
}
