import type { Bench, Part } from '../bench.ts'
import { CODECS, type Codec } from '../codecs.ts'
import type { Figure } from '../report.ts'
import { measure } from '../rounds.ts'

const KiB = 1024
const SIZES = [100, KiB, 64 * KiB, 16 * KiB * KiB]
/** Bytes of frames that are decoded in one go, at least. */
const BATCH = 256 * KiB
/** The size of one read from a socket. It is not a multiple of any frame. */
const CHUNK = 65_521
const COMPARISONS = ['it-length-prefixed', 'mqtt-packet'].map(to => ({ of: 'ours', to }))

/** Frames to bytes and back, in this process. */
export const codec: Part = async function* (bench) {
  for (const size of SIZES.filter(bytes => bench.wantsSize(bytes))) {
    const payload = Buffer.alloc(size, 'payload ')
    yield* figures(bench, `encode/${size}`, `encode frames of ${size} bytes`, ({ encode }) => () => {
      encode(payload)
      return 1
    })
    const count = Math.max(1, Math.ceil(BATCH / size))
    const frames = (encode: Codec['encode']) =>
      Array.from({ length: count }, () => Buffer.concat(encode(payload)))
    yield* figures(bench, `decode/${size}`, `decode frames of ${size} bytes, whole`, ({ encode, decode }) => {
      const chunks = frames(encode)
      return () => decode(chunks, count, size)
    })
    yield* figures(bench, `split/${size}`, `decode frames of ${size} bytes, split`, ({ encode, decode }) => {
      const chunks = cut(Buffer.concat(frames(encode)), chunkSize(size))
      return () => decode(chunks, count, size)
    })
  }
}

/** Frames a second of each codec; `prepare` gives what is done again and again, which returns how many frames it took. */
async function* figures(
  bench: Bench,
  id: string,
  title: string,
  prepare: (codec: Codec) => () => number,
): AsyncGenerator<Figure> {
  yield* await measure({
    id: `codec/${id}`,
    title,
    metrics: { rate: { unit: 'frames/s' } },
    comparisons: COMPARISONS,
    rounds: bench.rounds,
    contenders: CODECS.map(codec => {
      const work = prepare(codec)
      return { name: codec.name, sample: async () => ({ rate: repeat(work, bench.ms / 4) }) }
    }),
  })
}

function repeat(work: () => number, ms: number): number {
  const startedAt = performance.now()
  let count = 0
  let elapsed = 0
  // The clock is read once in a while: it costs as much as a small frame.
  for (let batch = 1; elapsed < ms; elapsed = performance.now() - startedAt) {
    for (let i = 0; i < batch; i++) count += work()
    if (elapsed < ms / 50) batch *= 2
  }
  return (count / elapsed) * 1000
}

/** Large frames come in what a socket reads; small ones in pieces of about a third of a frame. */
function chunkSize(size: number): number {
  return Math.min(CHUNK, Math.ceil(size / 3))
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}
