import type { Random } from './random.js'

/** One row of the table of tests: a fault, made again and again. */
export interface Row {
  /** Its needs; see {@link lacking}. */
  readonly needs: readonly Need[]
  /** How often the fault is made, by default and on demand. Zero: as often as there are cases. */
  readonly ci: number
  readonly record: number
  run(context: RowContext): Promise<RowReport>
}

export type Need =
  | 'linux'
  | 'root'
  | 'python'
  | 'strace'
  | 'prlimit'
  | 'loop'
  | 'ext4'
  | 'xfs'
  | 'nbdkit'
  | 'nbdfuse'
  | 'faketime'

export interface RowContext {
  readonly n: number
  readonly random: Random
}

export interface RowReport {
  /** How many times the fault was made. */
  readonly n: number
  /** The violations; empty if there are none. */
  readonly failures: readonly string[]
  /** Other counts, to be printed. */
  readonly counts: Readonly<Record<string, number>>
}
