import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { encodeMessage, IpcDecoder } from '#lib/pilot/ipc-messages.js'
import { type Running, Sandbox } from '../../helpers/cli.js'
import { Lanes } from './lanes.js'

/** One socket between ours and what the replay plays. */
export class Line {
  readonly socket: Socket
  readonly lanes = new Lanes()

  constructor(socket: Socket) {
    this.socket = socket
    const decoder = new IpcDecoder()
    socket.on('data', chunk => {
      for (const message of decoder.push(chunk)) this.lanes.push(message)
    })
    socket.on('error', () => {})
    socket.on('end', () => this.lanes.end())
    socket.on('close', () => this.lanes.end())
  }

  send(command: number, payload: Buffer): void {
    this.socket.write(Buffer.concat(encodeMessage(command, payload)))
  }

  /** Events that were not recorded; ends of streams may have been too late for the recording. */
  unexpected(): string[] {
    return this.lanes.left().filter(item => !/^0x0[89] /.test(item))
  }
}

/** The home of one node, with a socket of its own for each program. */
export class ReplayBox extends Sandbox {
  #socket = ''

  /** `pilot-dx serve`, or another that ends with the test. */
  serve(socket: string, args: readonly string[]): Running {
    this.#socket = socket
    return this.start(args)
  }

  put(path: string, content: Uint8Array): void {
    const target = join(this.dir, path)
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
    writeFileSync(target, content)
  }

  /** `$DIR` filled in, and ids in the inbox replaced by those of the same message now. */
  args(recorded: readonly string[]): string[] {
    return recorded.map(arg => {
      const [, kind, number] = /^([A-Z]+)-\d{8}-\d{6}\.\d{3}-(\d{6})$/.exec(arg) ?? []
      if (kind === undefined) return arg.replaceAll('$DIR', this.dir)
      const name = readdirSync(join(this.home, 'inbox')).find(
        name => name.startsWith(kind) && name.endsWith(`-${number}.json`),
      )
      return name?.replace('.json', '') ?? arg
    })
  }

  protected override spawn(program: string, args: readonly string[], options?: SpawnOptions): ChildProcess {
    const env = { ...this.env, PILOT_SOCKET: this.#socket }
    return super.spawn(program, args, { ...options, env })
  }
}
