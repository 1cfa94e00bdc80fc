import { Script } from 'node:vm'
import { WireError } from '#lib/errors.js'
import { FrameDecoder } from '#lib/wire/decode.js'
import { encodeFrame } from '#lib/wire/encode.js'
import type { Frame } from '#lib/wire/frame.js'
import { FrameParser } from '#lib/wire/frame-parser.js'
import { readWire, type WireFrame, wireSize, writeWire } from './frame-oracle.js'
import type { Random } from './random.js'
import type { Row, RowContext, RowReport } from './row.js'
import { WireFuzz } from './wire-fuzz.js'

/** Generated streams, cut anywhere, through the decoder and the parser: what comes out is what went in. */
export const row: Row = { needs: [], ci: 5_000_000, record: 500_000_000, run }

async function run({ n, random }: RowContext): Promise<RowReport> {
  // Every other input ends with an error, and its trace would take more time than all the rest.
  Error.stackTraceLimit = 0
  const fuzz = new WireFuzz(random, [0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 10, 99, 2 ** 32 - 1])
  const failures: string[] = []
  const counts: Record<string, number> = { frames: 0, bytes: 0 }
  for (let done = 0; done < n && failures.length < MOST_FAILURES; done += BATCH) {
    const inputs = () => {
      for (let i = 0; i < Math.min(BATCH, n - done); i++) checkOne()
    }
    if (!endsInTime(inputs))
      failures.push(`a batch of ${BATCH} inputs after ${done} took more than ${BATCH_MS} ms`)
  }
  return { n, failures, counts }

  function checkOne(): void {
    const wire = anyStream(fuzz, random)
    const chunks = fuzz.split(wire, 4)
    const fault = random.chance(0.5)
      ? faultOfDecoder(wire, chunks, counts)
      : faultOfParser(wire, chunks, counts)
    if (fault !== undefined && failures.length < MOST_FAILURES) {
      failures.push(`${fault}: ${chunks.map(chunk => chunk.toString('hex')).join(' ')}`)
    }
  }
}

const CAP = 2 ** 28
const BATCH = 20_000
const BATCH_MS = 30_000
const MOST_FAILURES = 20

function anyStream(fuzz: WireFuzz, random: Random): Buffer {
  if (random.chance(0.1)) return fuzz.bytes(random.integer(0, 64))
  const frames = Array.from({ length: random.integer(0, 3) }, () =>
    fuzz.frame(random.chance(0.05) ? 3_000 : 24),
  )
  return fuzz.stream(frames, 0.7)
}

/** Runs `work`, which must not wait; false where it had to be broken off. */
function endsInTime(work: () => void): boolean {
  const scope = globalThis as { fuzzWork?: () => void }
  scope.fuzzWork = work
  try {
    new Script('fuzzWork()').runInThisContext({ timeout: BATCH_MS })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false
    throw error
  }
}

function faultOfDecoder(wire: Buffer, chunks: Buffer[], counts: Record<string, number>): string | undefined {
  const decoder = new FrameDecoder()
  const read: Frame[] = []
  return faultOf(wire, read, counts, () => {
    for (const chunk of chunks) read.push(...decoder.push(chunk))
    decoder.finish()
  })
}

function faultOfParser(wire: Buffer, chunks: Buffer[], counts: Record<string, number>): string | undefined {
  const read: Frame[] = []
  let frame: Frame = { type: 0, payload: EMPTY }
  let pieces: Uint8Array[] = []
  const parser = new FrameParser({
    start: ({ type, filename }) => {
      frame = filename === undefined ? { type, payload: EMPTY } : { type, payload: EMPTY, filename }
      pieces = []
    },
    data: piece => pieces.push(piece),
    end: () => read.push({ ...frame, payload: Buffer.concat(pieces) }),
  })
  return faultOf(wire, read, counts, () => {
    for (const chunk of chunks) parser.push(chunk)
    parser.finish()
  })
}

const EMPTY = Buffer.alloc(0)

/** Returns the error in the result of `decode` for `wire`, which it leaves in `read`. */
function faultOf(
  wire: Buffer,
  read: Frame[],
  counts: Record<string, number>,
  decode: () => void,
): string | undefined {
  let end = 'clean'
  try {
    decode()
  } catch (error) {
    if (!(error instanceof WireError)) return `threw ${error}`
    end = error.code
  }
  counts.frames = (counts.frames ?? 0) + read.length
  counts.bytes = (counts.bytes ?? 0) + wire.length
  counts[end] = (counts[end] ?? 0) + 1
  const expected = readWire(wire, CAP)
  if (end !== expected.end) return `ended with ${end}, not with ${expected.end}`
  if (read.length !== expected.frames.length) return `${read.length} frames, not ${expected.frames.length}`
  let at = 0
  for (const [i, frame] of read.entries()) {
    const bytes = encoded(frame)
    const next = at + bytes.length
    if (next > wire.length || wire.compare(bytes, 0, bytes.length, at, next) !== 0)
      return `frame ${i} is not what was sent`
    // Both begin at one place of the stream: as long, they are the same.
    if (bytes.length !== wireSize(expected.frames[i] as WireFrame))
      return `frame ${i} has another end than it should`
    at = next
  }
  return undefined
}

function encoded({ type, payload, filename }: Frame): Buffer {
  // A name that lies cannot be written: such a payload is one with the length field in it.
  if (type === 4 && filename === undefined) return writeWire({ type, payload: Buffer.from(payload) })
  return Buffer.concat(encodeFrame({ type, payload, ...(filename !== undefined && { filename }) }))
}
