import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Client } from '#lib/client/client.js'
import { Address } from '#lib/pilot/address.js'
import type { ServiceConfig } from '#lib/service/service.js'
import { connectAs, SERVER_ADDRESS, SocketStreams } from '../helpers/socket-streams.js'

/** The report of the service. */
export interface ServiceStatus {
  /** Bytes, after the garbage has been collected. */
  readonly heapUsed: number
  readonly refusals: Readonly<Record<string, number>>
}

/** A service in a process of its own, for peers of many addresses, good and bad. */
export class AbusedService {
  readonly socket: string
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child
    this.socket = socket
    this.#exit = once(child, 'exit')
  }

  /** Resolves once it serves. Nothing is evicted unless `config` says so: what was acknowledged stays. */
  static async start(socket: string, config: ServiceConfig): Promise<AbusedService> {
    const options = JSON.stringify({ ...NO_LIMITS, ...config, socket })
    const child = fork(CHILD, [options], { execArgv: ['--expose-gc'] })
    const service = new AbusedService(child, socket)
    const started = await Promise.race([once(child, 'message'), service.#exit.then(() => undefined)])
    if (started === undefined) throw new Error(`the service ended with ${child.exitCode} at its start`)
    return service
  }

  get pid(): number {
    return this.#child.pid!
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The most memory that it has had, in MiB. */
  get peakMemory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
  }

  /** Descriptors that it has open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length
  }

  async dial(node: number): Promise<Client> {
    return Client.dial(new SocketStreams(this.socket, new Address(0, node)), SERVER_ADDRESS)
  }

  /** A bare connection from `node`. */
  async connect(node: number): Promise<Socket> {
    const socket = await connectAs(this.socket, new Address(0, node))
    return socket.on('error', () => {})
  }

  async status(): Promise<ServiceStatus> {
    this.#child.send('status')
    const answer = await Promise.race([once(this.#child, 'message'), this.#exit.then(() => undefined)])
    if (answer === undefined) throw new Error(`the service ended with ${this.#child.exitCode}`)
    return answer[0] as ServiceStatus
  }

  /** Resolves when the service has stopped and its process is gone; false where that took too long. */
  async stop(): Promise<boolean> {
    this.#child.send('stop')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WITHIN_MS)
    await this.#exit
    clearTimeout(late)
    return this.#child.exitCode === 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL')
    await this.#exit
  }
}

const CHILD = fileURLToPath(new URL('abused-child.js', import.meta.url))
const NO_LIMITS: ServiceConfig = { inboxMaxFiles: 1e9, inboxMaxBytes: -1, receivedMaxBytes: -1 }
const STOP_WITHIN_MS = 30_000
