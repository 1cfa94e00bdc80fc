import type { Machine } from './machine.ts'
import type { Summary } from './statistics.ts'

/** The output of `--json`. */
export interface Report {
  readonly machine: Machine
  readonly settings: Settings
  /** For the whole run. */
  readonly seconds: number
  readonly figures: readonly Figure[]
}

/** How the run was made. */
export interface Settings {
  /** Rounds of samples that count, after one that does not. */
  readonly rounds: number
  /** For one sample, if the time is fixed. */
  readonly seconds: number
  /** Whether `--against` named a service. */
  readonly against: boolean
  /** The version of the original's programs that it was made beside. */
  readonly original?: string
}

/** One thing that was measured of several contenders, turn by turn. */
export interface Figure {
  /** The part, what was done, and the metric, e.g. `service/bare/empty/8x8-100/rate`. */
  readonly id: string
  /** For a person. */
  readonly title: string
  readonly unit: Unit
  readonly contenders: Readonly<Record<string, Summary>>
  /** The contenders of the same round. */
  readonly ratios: readonly (Comparison & Summary)[]
}

export type Unit = 'messages/s' | 'frames/s' | 'times/s' | 'MB/s' | 'ms' | 'us/message' | 'MiB' | 'KiB'

/** A ratio to be told. */
export interface Comparison {
  readonly of: string
  readonly to: string
}

/** A figure as lines of text. */
export function figureText({ title, unit, contenders, ratios }: Figure): string {
  const lines = Object.entries(contenders).map(([name, summary]) => {
    const own = ratios.filter(ratio => ratio.of === name)
    const compared = own.map(
      ratio => `${digits(ratio.median)} x ${ratio.to} (${digits(ratio.low)} to ${digits(ratio.high)})`,
    )
    const spread = `${digits(summary.low)} to ${digits(summary.high)}`
    return `  ${name.padEnd(20)}${digits(summary.median).padStart(12)}  ${`(${spread})`.padEnd(28)}${compared.join(', ')}`
  })
  return [`${title}, ${unit}`, ...lines.map(line => line.trimEnd()), ''].join('\n')
}

/** Three digits, as a person reads them. */
export function digits(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}
