import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Kind } from './service-options.ts'

/** The comparisons and their bounds. */
export interface GuardRun {
  /** The receiver of the messages. */
  readonly dir: string
  /** The service, and the plain one that does the same. */
  readonly of: Kind
  readonly to: Kind
  /** Ratios that must not be exceeded. Noise stays under them, twice the processor time does not. */
  readonly bounds: readonly { readonly metric: 'cpu' | 'time'; readonly most: number }[]
}

/** In memory, where there is a file system in memory: there the service's own work is all that is measured. */
const MEMORY = '/dev/shm'

/** To be set anew whenever the write path has changed: what is usual is what the guard prints. */
export const GUARD_RUNS: readonly GuardRun[] = [
  {
    dir: existsSync(MEMORY) ? MEMORY : tmpdir(),
    of: 'os',
    to: 'plain',
    // Usual: 3.5 to 4.
    bounds: [{ metric: 'cpu', most: 6 }],
  },
  {
    dir: tmpdir(),
    of: 'full',
    to: 'synced',
    // Usual: 0.4 to 0.5; more than 1 where messages do not share their syncs. The disk has too much of a say for less.
    bounds: [{ metric: 'time', most: 1 }],
  },
]
