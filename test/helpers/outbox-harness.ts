import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { WaitOptions } from '#lib/async/wait.js'
import { withWait } from '#lib/async/wait.js'
import { DriverError } from '#lib/errors.js'
import { Outbox, type OutboxOptions, type RunOptions } from '#lib/outbox/outbox.js'
import type { OutboxEvents } from '#lib/outbox/outbox-events.js'
import type { Address } from '#lib/pilot/address.js'
import { DATA_EXCHANGE_PORT, type Resolver, type Stream, type Streams } from '#lib/pilot/transport.js'
import type { ServiceConfig } from '#lib/service/service.js'
import { type LogEntry, recordingLogger, type ServiceHarness, startService } from './service-harness.ts'
import { SERVER_ADDRESS } from './socket-streams.ts'
import { tempDir } from './temp-dir.ts'

/** The network of an outbox: `bob`, the address of a service, and added peers. */
export class FakeNet implements Pick<Streams, 'dial'>, Resolver {
  /** The effect of dialling each address. */
  readonly peers: Map<string, () => Promise<Stream>> = new Map()
  readonly names: Map<string, Address> = new Map([['bob', SERVER_ADDRESS]])
  /** The texts of all addresses that were dialled. */
  readonly dialled: string[] = []
  /** Thrown by everything while it is set: no daemon. */
  daemonError: Error | undefined

  async dial(address: Address, port: number, { signal }: WaitOptions = {}): Promise<Stream> {
    if (this.daemonError !== undefined) throw this.daemonError
    const text = address.toString()
    this.dialled.push(text)
    const dial = port === DATA_EXCHANGE_PORT ? this.peers.get(text) : undefined
    if (dial === undefined) throw new DriverError('DIAL_FAILED', 'nobody there')
    return withWait('dial', { signal }, dial)
  }

  async resolve(name: string): Promise<Address> {
    if (this.daemonError !== undefined) throw this.daemonError
    const address = this.names.get(name)
    if (address === undefined) throw new DriverError('DAEMON_REFUSED', `no node ${name}`)
    return address
  }
}

export const NO_DAEMON = new DriverError('DAEMON_UNAVAILABLE', 'no daemon answers')

/** The event of one topic that an outbox has told. */
type Told = { [T in keyof OutboxEvents]: { topic: T } & OutboxEvents[T] }[keyof OutboxEvents]

/** An outbox that is being run. */
export class OutboxRun {
  readonly events: Told[] = []
  readonly log: LogEntry[]
  /** Its end. */
  readonly ended: Promise<void>
  readonly #stop = new AbortController()
  readonly #wakers = new Set<() => void>()

  constructor(outbox: Outbox, driver: FakeNet, options: Partial<RunOptions> = {}) {
    const { logger, log } = recordingLogger()
    this.log = log
    const publish = <T extends keyof OutboxEvents>(topic: T, payload: OutboxEvents[T]) => {
      this.events.push({ topic, ...payload } as Told)
      for (const wake of this.#wakers) wake()
    }
    this.ended = outbox.run({
      driver,
      logger,
      events: { publish },
      retryMinMs: 20,
      retryMaxMs: 100,
      signal: this.#stop.signal,
      ...options,
    })
    this.ended.catch(() => {})
  }

  /** Resolves with the events as soon as there are `count`. Rejects where the run ends before. */
  async told(count: number): Promise<Told[]> {
    let wake = () => {}
    const enough = new Promise<void>(resolve => {
      wake = () => this.events.length >= count && resolve()
    })
    this.#wakers.add(wake)
    wake()
    await Promise.race([
      enough,
      this.ended.then(() => {
        if (this.events.length < count) throw new Error(`ended with ${this.events.length} events`)
      }),
    ])
    this.#wakers.delete(wake)
    return this.events
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.ended
  }
}

/** An outbox in a fresh folder, and a network without anybody. */
export async function openOutbox(
  t: TestContext,
  options: OutboxOptions = {},
): Promise<{ outbox: Outbox; dir: string; net: FakeNet; run(options?: Partial<RunOptions>): OutboxRun }> {
  const runs: OutboxRun[] = []
  // Before the folder is removed: what is registered first is done first.
  t.after(() => Promise.all(runs.map(run => run.stop().catch(() => {}))))
  const dir = join(tempDir(t), 'outbox')
  const outbox = await Outbox.open({ dir, ...options })
  const net = new FakeNet()
  const run = (runOptions?: Partial<RunOptions>) => {
    const started = new OutboxRun(outbox, net, runOptions)
    runs.push(started)
    return started
  }
  return { outbox, dir, net, run }
}

/** A service that `net` reaches as `bob` and under its address. */
export async function addService(
  t: TestContext,
  net: FakeNet,
  config: ServiceConfig = {},
): Promise<ServiceHarness> {
  const service = await startService(t, config)
  net.peers.set(SERVER_ADDRESS.toString(), () => service.dial())
  return service
}

/** Asks until it is so; for what no event tells. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 5))
}
