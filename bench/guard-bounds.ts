import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { Kind } from './service-options.ts'

/** What is compared, and what must hold. */
export interface GuardRun {
  /** Where the messages go. */
  readonly dir: string
  /** The service, and the plain one that does the same. */
  readonly of: Kind
  readonly to: Kind
  /** Ratios that must not be exceeded: half as much again as is usual. Noise stays under that, twice the cost does not. */
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
    bounds: [{ metric: 'cpu', most: 12 }],
  },
  {
    dir: tmpdir(),
    of: 'full',
    to: 'synced',
    bounds: [
      { metric: 'cpu', most: 3.1 },
      { metric: 'time', most: 2.2 },
    ],
  },
]
