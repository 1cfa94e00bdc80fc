/** Statistics of several samples. */
export interface Summary {
  readonly median: number
  /** The spread: a quarter of the samples lies below `low`, a quarter above `high`. */
  readonly low: number
  readonly high: number
  readonly samples: readonly number[]
}

/** Median and quartiles of `samples`, of which there must be one at least. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = Float64Array.from(samples).sort()
  const at = (share: number) => significant(quantile(sorted, share))
  return { median: at(0.5), low: at(0.25), high: at(0.75), samples: samples.map(significant) }
}

/** The value below which the part `share` of the ascending `sorted` lies; between two samples, in proportion. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const position = (sorted.length - 1) * share
  const below = Math.floor(position)
  const from = sorted[below] ?? Number.NaN
  const to = sorted[Math.min(below + 1, sorted.length - 1)] ?? from
  return from + (to - from) * (position - below)
}

/** The ratios of two series, sample by sample: what was measured in the same round is compared. */
export function ratioOf(samples: readonly number[], baseline: readonly number[]): Summary {
  return summarize(samples.map((sample, round) => sample / (baseline[round] ?? Number.NaN)))
}

/** Five digits say all that is known. */
function significant(value: number): number {
  return Number(value.toPrecision(5))
}
