import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from '#lib/client/client.js'
import type { Stream } from '#lib/pilot/transport.js'
import type { ServiceConfig } from '#lib/service/service.js'
import { SERVER_ADDRESS, SocketStreams } from '../helpers/socket-streams.js'
import type { Random } from './random.js'

/** A service, and where it is. */
export interface Served {
  /** The Unix socket to serve. */
  readonly socket: string
  readonly config: ServiceConfig
}

/** How a {@link ServiceProcess} is run. */
export interface ServiceOptions extends Served {
  /** More services of the same process. */
  readonly beside?: readonly Served[]
  /** Added to this process's. */
  readonly env?: NodeJS.ProcessEnv
  /** The limit of open files, set when the modules are loaded: Node's loader opens many at once. @default that of this process */
  readonly descriptors?: number
  /** The socket of a daemon to attach to, instead of serving `socket` itself. */
  readonly daemon?: string
  /** The size of a segment of the journal, when it is to be forgotten after a few messages. @default that of `LIMITS` */
  readonly segmentBytes?: number | undefined
}

/** Sizes of which many are forgotten under a load, or none. */
export function anySegmentBytes(random: Random): number | undefined {
  return random.pick([undefined, undefined, 1, random.integer(1, 500_000)])
}

/** A service in a process of its own. */
export class ServiceProcess {
  readonly #child: ChildProcess
  readonly #socket: string
  readonly #exit: Promise<unknown>

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child
    this.#socket = socket
    this.#exit = once(child, 'exit')
  }

  /** Resolves once it serves. */
  static async start(options: ServiceOptions): Promise<ServiceProcess> {
    const service = ServiceProcess.spawn(options)
    if (await service.serving) return service
    throw new Error(
      `the service ended with ${service.#child.exitCode ?? service.#child.signalCode} at its start`,
    )
  }

  /** Does not wait for anything. */
  static spawn(options: ServiceOptions): ServiceProcess {
    const { socket, config, beside = [], env, descriptors, daemon, segmentBytes } = options
    const others = beside.map(({ socket, config }) => ({ ...NO_LIMITS, ...config, socket }))
    const argument = JSON.stringify([{ ...NO_LIMITS, ...config, socket, daemon }, ...others])
    const segment = segmentBytes === undefined ? [] : [`${segmentBytes}`]
    const child = spawn(process.execPath, [CHILD, argument, ...segment], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env, ...(descriptors !== undefined && { DESCRIPTORS: `${descriptors}` }) },
    })
    child.stdin?.on('error', () => {})
    return new ServiceProcess(child, socket)
  }

  /** Resolves with true once it serves, with false where it ends before. */
  get serving(): Promise<boolean> {
    const lines = createInterface({ input: this.#child.stdout! })
    return Promise.race([once(lines, 'line').then(() => true), this.#exit.then(() => false)])
  }

  get pid(): number {
    return this.#child.pid!
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** A bare connection. */
  async connect(): Promise<Stream> {
    return new SocketStreams(this.#socket).dial()
  }

  async dial(socket: string = this.#socket): Promise<Client> {
    return Client.dial(new SocketStreams(socket), SERVER_ADDRESS)
  }

  /** Resolves with true when it has ended, by itself or by somebody else; with false where it has not within `ms`. */
  async hasEnded(ms: number): Promise<boolean> {
    return Promise.race([this.#exit.then(() => true), delay(ms, false, { ref: false })])
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL')
    await this.#exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

const CHILD = fileURLToPath(new URL('service-child.js', import.meta.url))
/** Nothing is evicted, so that what was acknowledged stays; and all peers of a test have one address. */
const NO_LIMITS: ServiceConfig = {
  inboxMaxFiles: 1e9,
  inboxMaxBytes: -1,
  receivedMaxBytes: -1,
  maxConnectionsPerPeer: -1,
}
