import { type Bench, type RunningService, startLoad, startService } from './bench.ts'
import type { Child } from './child.ts'
import { fillInbox } from './fill-inbox.ts'
import type { LoadRequest, LoadResult } from './load.ts'
import type { Comparison } from './report.ts'
import type { Contender } from './rounds.ts'
import type { Usage } from './service-child.ts'
import { type Kind, UNCAPPED } from './service-options.ts'
import type { Target } from './target.ts'

/** Compares the service with its bounds, and with the other service if there is one. */
export const COMPARISONS: readonly Comparison[] = [
  { of: 'full', to: 'synced' },
  { of: 'os', to: 'plain' },
  { of: 'full', to: 'null' },
  { of: 'os', to: 'null' },
  { of: 'full', to: 'against' },
  { of: 'os', to: 'against' },
]

/** Services to be visited in turn by one load generator. */
export interface Field {
  readonly embedded?: boolean
  readonly kinds: readonly Kind[]
  /** Messages in each inbox at the start, which are its cap where `capped`. */
  readonly filled?: number
  readonly capped?: boolean
  readonly withAgainst?: boolean
}

/** Starts the services of `field`, has them measured by `use`, and ends them and removes what they stored. */
export async function withServices<T>(
  bench: Bench,
  { embedded = false, kinds, filled = 0, capped = false, withAgainst = false }: Field,
  use: (visitors: readonly Visitor[]) => Promise<T>,
): Promise<T> {
  await using load = await startLoad()
  const services: RunningService[] = []
  const folders: string[] = []
  try {
    const visitors: Visitor[] = []
    for (const kind of kinds) {
      const dir = bench.scratch.folder()
      folders.push(dir)
      if (kind !== 'null') fillInbox(dir, filled)
      const service = await startService(bench, { kind, dir, embedded, cap: capped ? filled : UNCAPPED })
      services.push(service)
      visitors.push(new Visitor(kind, load, service.target, service))
    }
    if (withAgainst && bench.against !== undefined) {
      visitors.push(new Visitor('against', load, { socket: bench.against }))
    }
    return await use(visitors)
  } finally {
    for (const { child } of services) await child[Symbol.asyncDispose]()
    for (const dir of folders) bench.scratch.release(dir)
  }
}

/** A service, and the generator that visits it. */
export class Visitor {
  readonly name: string
  readonly service: RunningService | undefined
  readonly #load: Child
  readonly #target: Target

  constructor(name: string, load: Child, target: Target, service?: RunningService) {
    this.name = name
    this.service = service
    this.#load = load
    this.#target = target
  }

  /** One slice of load, and the processor time that a message took of the service, where that is known. */
  async visit(connections: number, request: LoadRequest): Promise<LoadResult & { cpu?: number }> {
    const before = await this.usage()
    const result = await this.#load.ask<LoadResult>({
      do: 'load',
      target: this.#target,
      connections,
      ...request,
    })
    const after = await this.usage()
    if (before === undefined || after === undefined) return result
    return { ...result, cpu: ((after.cpuMs - before.cpuMs) * 1000) / result.messages }
  }

  /** Undefined for the service of somebody else. */
  async usage(): Promise<Usage | undefined> {
    return this.service?.child.ask<Usage>({ ask: 'usage' })
  }

  /** Starts to measure the turns of its event loop. */
  async watch(): Promise<void> {
    await this.service?.child.ask({ ask: 'watch' })
  }

  /** As one of those that are measured in turn. */
  contender(sample: (visitor: Visitor) => Promise<Record<string, number>>): Contender {
    return { name: this.name, sample: () => sample(this) }
  }
}
