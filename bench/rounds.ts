import type { Comparison, Figure, Unit } from './report.ts'
import { ratioOf, summarize } from './statistics.ts'

/** Something that is measured. One sample may give several metrics. */
export interface Contender {
  readonly name: string
  sample(): Promise<Readonly<Record<string, number>>>
}

/** The measurement. */
export interface Measurement {
  /** Part and workload, see `Figure.id`. */
  readonly id: string
  readonly title: string
  readonly contenders: readonly Contender[]
  /** The metrics that the samples give. A metric that a contender does not give is not told of it. */
  readonly metrics: Readonly<Record<string, { unit: Unit; title?: string }>>
  /** Missing contenders are left out. */
  readonly comparisons: readonly Comparison[]
  readonly rounds: number
}

/**
 * Samples the contenders turn by turn (A B C, B C A, ...), so that what the machine does meanwhile meets all of
 * them alike. The first round only warms up.
 */
export async function measure(measurement: Measurement): Promise<Figure[]> {
  const { contenders, rounds } = measurement
  const samples = new Map<string, Readonly<Record<string, number>>[]>(
    contenders.map(({ name }) => [name, []]),
  )
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length]!
      const sample = await contender.sample()
      if (round > 0) samples.get(contender.name)?.push(sample)
    }
  }
  return figuresOf(measurement, samples)
}

/** The figures of samples that have been taken, by contender. */
export function figuresOf(
  { id, title, metrics, comparisons }: Omit<Measurement, 'contenders' | 'rounds'>,
  samples: ReadonlyMap<string, readonly Readonly<Record<string, number>>[]>,
): Figure[] {
  return Object.entries(metrics).map(([metric, { unit, title: metricTitle }]) => {
    const series = new Map<string, number[]>()
    for (const [name, taken] of samples) {
      const values = taken.map(sample => sample[metric]).filter(value => value !== undefined)
      if (values.length > 0) series.set(name, values)
    }
    return {
      id: `${id}/${metric}`,
      title: metricTitle === undefined ? title : `${title}: ${metricTitle}`,
      unit,
      contenders: Object.fromEntries([...series].map(([name, values]) => [name, summarize(values)])),
      ratios: comparisons.flatMap(({ of, to }) => {
        const [own, baseline] = [series.get(of), series.get(to)]
        return own && baseline ? [{ of, to, ...ratioOf(own, baseline) }] : []
      }),
    }
  })
}
