import fc from 'fast-check'
import { WireError } from '#lib/errors.js'
import { FrameDecoder } from '#lib/wire/decode.js'
import { encodeFrame } from '#lib/wire/encode.js'
import type { Frame } from '#lib/wire/frame.js'
import type { Row, RowContext, RowReport } from './row.js'

/** The properties of the codec, with inputs that fast-check makes and makes smaller where one fails. */
export const row: Row = { needs: [], ci: 200_000, record: 20_000_000, run }

async function run({ n, random }: RowContext): Promise<RowReport> {
  const failures: string[] = []
  const counts: Record<string, number> = {}
  for (const [name, check] of Object.entries(CHECKS)) {
    const numRuns = Math.ceil(n / Object.keys(CHECKS).length)
    const details = check({ numRuns, seed: random.integer(0, 2 ** 31 - 1) })
    counts[name] = details.numRuns
    if (details.failed) failures.push(details.message ?? name)
  }
  return { n, failures, counts }
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const payload = fc.uint8Array({ maxLength: 48 })
const fileName = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter(name => name !== '.' && name !== '..' && !/[/\\]/.test(name) && Buffer.byteLength(name) <= 255)
const file = fc.record({ type: fc.constant(4), payload, filename: fileName })
const other = fc.record({ type: u32.filter(type => type !== 4), payload })
const frames: fc.Arbitrary<Frame[]> = fc.array(fc.oneof(other, file), { maxLength: 4 })
const cuts = fc.array(fc.nat(), { maxLength: 6 })
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc.tuple(frames, fc.nat(), fc.nat({ max: 255 })).map(([sent, at, value]) => {
    const wire = toWire(sent)
    if (wire.length > 0) wire[at % wire.length] = value
    return wire as Uint8Array
  }),
)

const CHECKS: Record<string, (parameters: { numRuns: number; seed: number }) => CheckReport> = {
  'round trip': parameters =>
    check(parameters, frames, (sent, at) => {
      const { read, end } = readAll(split(toWire(sent), at))
      return end === 'clean' && JSON.stringify(read) === JSON.stringify(sent.map(comparable))
    }),
  'any bytes': parameters =>
    check(parameters, hostile, (bytes, at) => {
      const whole = readAll([bytes])
      const { read, end } = readAll(split(bytes, at))
      return end === whole.end && JSON.stringify(read) === JSON.stringify(whole.read)
    }),
}

interface CheckReport {
  readonly failed: boolean
  readonly numRuns: number
  readonly message: string | undefined
}

function check<T>(
  parameters: { numRuns: number; seed: number },
  input: fc.Arbitrary<T>,
  holds: (value: T, at: number[]) => boolean,
): CheckReport {
  const details = fc.check(fc.property(input, cuts, holds), parameters)
  return { ...details, message: fc.defaultReportMessage(details) }
}

function toWire(sent: readonly Frame[]): Buffer {
  return Buffer.concat(sent.flatMap(frame => encodeFrame(frame)))
}

/** All that comes of the chunks, and how it ended; what is thrown must be a WireError. */
function readAll(chunks: readonly Uint8Array[]): { read: unknown[]; end: string } {
  const decoder = new FrameDecoder()
  const read: unknown[] = []
  try {
    for (const chunk of chunks) read.push(...decoder.push(chunk).map(comparable))
    decoder.finish()
    return { read, end: 'clean' }
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return { read, end: error.code }
  }
}

function comparable({ type, payload, filename }: Frame): unknown {
  return { type, filename, payload: Buffer.from(payload).toString('hex') }
}

function split(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...at.map(nat => nat % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end))
}
