import { setTimeout as delay } from 'node:timers/promises'
import { type Client, DeliveryError, defaultMaxFrameSize, wallClockNs } from 'pilot-dataexchange'
import { encodeHeader, FrameType, TRACE_HEADER_SIZE } from 'pilot-dataexchange/wire'
import { checkTarget, withPeer } from '../shared/connect.ts'
import type { Context } from '../shared/context.ts'
import { withDetails } from '../shared/errors.ts'
import { plural, table } from '../shared/format.ts'
import { bar, histogram, LEGS, type Legs, legsOf, percentile } from '../shared/trace-legs.ts'

/** Options of `trace`. */
export interface TraceOptions {
  count: number
  /** Time in ms between two probes. @default 0 */
  interval?: number
  /** Size of a probe in bytes. @default 64 */
  size?: number
  /** Time in ms for the answer to one probe. @default 30000 */
  timeout?: number
}

/** Sends probes and prints the duration of each leg. */
export async function trace(context: Context, target: string, options: TraceOptions): Promise<void> {
  const { count, size = DEFAULT_SIZE } = options
  checkTarget(target)
  encodeHeader(
    { type: FrameType.Trace, length: TRACE_HEADER_SIZE + size },
    { maxFrameSize: defaultMaxFrameSize() },
  )

  const probes: Legs[] = []
  let to = ''
  try {
    await withPeer(context, target, { timeoutMs: options.timeout }, async (client, address) => {
      to = address.toString()
      for (let i = 0; i < count; i++) {
        if (i > 0 && options.interval) await delay(options.interval)
        probes.push(await probe(client, size, options.timeout))
      }
    })
  } catch (error) {
    throw probes.length > 0 ? withDetails(error, { target, to, probes }) : error
  }
  const legs = Object.fromEntries(LEGS.map(leg => [leg, summary(probes.map(probe => probe[leg]))]))
  const buckets = histogram(probes.map(probe => probe.total_ms))
  const data = {
    target,
    to,
    count,
    size,
    legs,
    histogram: buckets.map(({ from, to, count }) => ({ from_ms: from, to_ms: to, count })),
    probes,
  }
  context.output.result(data, () =>
    report(`${plural(count, 'probe')} of ${plural(size, 'byte')} to ${to}`, probes),
  )
}

const DEFAULT_SIZE = 64
const BAR_WIDTH = 40
const LEG_NAMES: Record<keyof Legs, string> = {
  to_receiver_ms: 'to receiver',
  receiver_process_ms: 'receiver',
  return_trip_ms: 'back',
  total_ms: 'total',
}

async function probe(client: Client, size: number, timeoutMs?: number): Promise<Legs> {
  const receipt = await client.deliver({ trace: Buffer.alloc(size, '.') }, { answerTimeoutMs: timeoutMs })
  if (receipt.trace !== undefined) return legsOf(receipt.trace, wallClockNs())
  throw new DeliveryError('ANSWER_INVALID', 'the peer acknowledged the probe without times', {
    answer: receipt.answer,
  })
}

interface Summary {
  min: number
  p50: number
  p90: number
  p99: number
  max: number
}

function summary(values: readonly number[]): Summary {
  return {
    min: percentile(values, 0),
    p50: percentile(values, 0.5),
    p90: percentile(values, 0.9),
    p99: percentile(values, 0.99),
    max: percentile(values, 1),
  }
}

function report(title: string, probes: readonly Legs[]): string {
  const rows = LEGS.map(leg => {
    const { min, p50, p90, p99, max } = summary(probes.map(probe => probe[leg]))
    return [LEG_NAMES[leg], ...[min, p50, p90, p99, max].map(number)]
  })
  const legs = table([['ms', ...['min', 'p50', 'p90', 'p99', 'max'].map(head => head.padStart(8))], ...rows])
  const buckets = histogram(probes.map(probe => probe.total_ms))
  const highest = Math.max(...buckets.map(bucket => bucket.count))
  const bars = table(
    buckets.map(({ from, to, count }) => [
      `${number(from)} to ${number(to)}`,
      count,
      bar(count / highest, BAR_WIDTH),
    ]),
  )
  const isSkewed = probes.some(probe => probe.to_receiver_ms < 0 || probe.return_trip_ms < 0)
  const skew = isSkewed
    ? '\n\nA leg is negative: the clocks of the two sides differ. The total is not affected.'
    : ''
  return `${title}\n\n${legs}\n\ntotal, ms\n${bars}${skew}`
}

function number(ms: number): string {
  return ms.toFixed(3).padStart(8)
}
