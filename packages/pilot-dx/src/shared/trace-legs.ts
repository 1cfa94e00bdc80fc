import type { TraceAnswer } from 'pilot-dataexchange/wire'

/** Names of the legs of a traced frame, in order, as in pilotctl. */
export const LEGS = ['to_receiver_ms', 'receiver_process_ms', 'return_trip_ms', 'total_ms'] as const

/** Duration of each leg, in ms. */
export type Legs = Record<(typeof LEGS)[number], number>

/**
 * The legs of a frame whose answer came at `doneAtNs`, in ns since the Unix epoch by this machine's clock. The way there
 * and the way back compare the clocks of two machines: a difference makes one leg too long and the other as much too
 * short.
 */
export function legsOf(answer: TraceAnswer, doneAtNs: bigint): Legs {
  return {
    to_receiver_ms: ms(answer.receivedAtNs - answer.sentAtNs),
    receiver_process_ms: ms(answer.ackSentAtNs - answer.receivedAtNs),
    return_trip_ms: ms(doneAtNs - answer.ackSentAtNs),
    total_ms: ms(doneAtNs - answer.sentAtNs),
  }
}

/** The quantile `share` (0 to 1) of the nonempty `values`, by nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** One bar of a histogram: the values from `from` up to `to`. */
export interface Bucket {
  readonly from: number
  readonly to: number
  readonly count: number
}

/** The nonempty `values` in buckets of equal width from the least to the greatest. */
export function histogram(values: readonly number[], buckets = 8): Bucket[] {
  // Math.min(...values) would overflow the stack with many probes.
  const min = values.reduce((least, value) => Math.min(least, value))
  const max = values.reduce((most, value) => Math.max(most, value))
  const width = (max - min) / buckets
  if (width === 0) return [{ from: min, to: max, count: values.length }]
  const counts = new Array<number>(buckets).fill(0)
  for (const value of values) {
    const index = Math.min(buckets - 1, Math.floor((value - min) / width))
    counts[index] = (counts[index] ?? 0) + 1
  }
  return counts.map((count, i) => ({ from: min + i * width, to: min + (i + 1) * width, count }))
}

/** A bar of block characters, `width` long for a share of 1. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(share * width * 8)
  return '█'.repeat(Math.floor(eighths / 8)) + (PARTS[eighths % 8] ?? '')
}

const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

function ms(ns: bigint): number {
  return Number(ns) / 1e6
}
