import { Child } from './child.ts'
import type { Figure } from './report.ts'
import type { Scratch } from './scratch.ts'
import type { Served } from './service-child.ts'
import type { ServiceOptions } from './service-options.ts'
import type { Target } from './target.ts'

/** The environment of the parts. */
export interface Bench {
  readonly rounds: number
  /** Milliseconds of one sample. */
  readonly ms: number
  /** The socket of another service that speaks frames, to compare with. */
  readonly against: string | undefined
  /** The folder with the original's programs. */
  readonly original: string | undefined
  readonly scratch: Scratch
  /** Whether payloads of so many bytes are to be measured. */
  wantsSize(bytes: number): boolean
  /** Leaves out what takes long. */
  readonly quick: boolean
}

/** Measures one subject; figures are handed on as they are found. */
export type Part = (bench: Bench) => AsyncGenerator<Figure>

/** A service in a process of its own. */
export interface RunningService extends Served {
  readonly child: Child
  readonly target: Target
}

/** Starts a service on a socket of its own, on what lies in `dir`. */
export async function startService(
  bench: Bench,
  options: Omit<ServiceOptions, 'socket'> & { socket?: string },
  flags?: string[],
): Promise<RunningService> {
  const { socket = bench.scratch.socket() } = options
  const [child, served] = await Child.start<Served>('service-child.js', { ...options, socket }, flags)
  return { ...served, child, target: { socket, address: served.address } }
}

/** Starts the load generator. */
export async function startLoad(): Promise<Child> {
  const [child] = await Child.start('load-child.js', {})
  return child
}
