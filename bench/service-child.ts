// A service in a process of its own: run by `Child` with `ServiceOptions`. Ready when it serves.
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { keepYoungGenerationSmall } from '#cli/shared/young-generation.js'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { Address } from '#lib/pilot/address.js'
import { Driver } from '#lib/pilot/driver.js'
import type { Streams } from '#lib/pilot/transport.js'
import { EventBus } from '#lib/plugin/events.js'
import { Service } from '#lib/service/service.js'
import { SocketStreams } from '../test/helpers/socket-streams.ts'
import { serveParent } from './child.ts'
import { serveFloor } from './floor-service.ts'
import { peakMemory } from './memory.ts'
import { type ServiceOptions, serviceConfig } from './service-options.ts'

/** The message that it sends when it is ready. */
export interface Served {
  /** Its address on the daemon. */
  readonly address?: string
  /** Milliseconds until it served, with what lay in its folders. */
  readonly startMs: number
}

/** The resource usage of this process. */
export interface Usage {
  /** Milliseconds of processor time, all threads, of the program and of the system for it. */
  readonly cpuMs: number
  readonly peakMiB: number
  /** Memory in RAM now, and in use by JavaScript, once what is garbage has been collected where that can be asked for. */
  readonly rssBytes: number
  readonly heapBytes: number
  /** The longest turn of the event loop, and the length of the hundredth longest, since `watch` was asked for. */
  readonly turnMs: { longest: number; p99: number }
}

type Request =
  /** The reply is a `Usage`. */
  | 'usage'
  /** The turns of the event loop are measured from now on. */
  | 'watch'

// As the command does it, for all kinds alike.
keepYoungGenerationSmall()
const options = JSON.parse(process.argv[2] ?? '{}') as ServiceOptions
const { streams, address } = await network()
const startedAt = performance.now()
await serve()
const served: Served = { address, startMs: performance.now() - startedAt }

let turns: IntervalHistogram | undefined
serveParent<{ ask: Request }>(served, async ({ ask }) => {
  if (ask === 'watch') {
    turns?.disable()
    turns = monitorEventLoopDelay({ resolution: 1 })
    turns.enable()
    return undefined
  }
  return usage()
})

async function network(): Promise<{ streams: Streams; address?: string }> {
  if (options.attached) return { streams: await Driver.connect(options.socket) }
  if (!options.embedded) return { streams: new SocketStreams(options.socket, null) }
  const daemon = await EmbeddedDaemon.start({
    socketPath: options.socket,
    directory: `${options.socket}.nodes`,
    hostname: 'bench',
  })
  return { streams: await Driver.connect(options.socket), address: `${daemon.address}` }
}

async function serve(): Promise<void> {
  const { kind } = options
  if (kind !== 'full' && kind !== 'os') return serveFloor(streams, { ...options, kind })
  const own = new Address(0, 0xa)
  await new Service(serviceConfig(options)).start({
    streams,
    identity: { nodeId: own.node, address: own },
    resolver: { resolve: async () => own },
    events: new EventBus(),
    logger: { debug() {}, info() {}, warn() {}, error: (_, message) => console.error(message) },
  })
}

async function usage(): Promise<Usage> {
  const { user, system } = process.cpuUsage()
  const turnMs = { longest: (turns?.max ?? 0) / 1e6, p99: (turns?.percentile(99) ?? 0) / 1e6 }
  // Twice: what is freed by finalizers of the first goes with the second.
  for (let i = 0; i < 2; i++) {
    global.gc?.()
    await delay(1)
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  const cpuMs = (user + system) / 1000
  return { cpuMs, peakMiB: peakMemory(), rssBytes: rss, heapBytes: heapUsed + external, turnMs }
}
