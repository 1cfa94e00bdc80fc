import { DriverError, WireError } from '../errors.ts'
import { FrameDecoder } from './decode.ts'
import type { EncodeOptions, FrameHead } from './encode.ts'
import type { Frame } from './frame.ts'
import type { DecodeOptions } from './frame-parser.ts'
import { type ByteSource, readChunk } from './read-chunk.ts'
import { encodeTaggedHeader, type MessageIds } from './tagged.ts'
import { type TraceFrame, traceToFrame } from './trace.ts'

/** The part of a stream that {@link writeFrame} uses. Every Node `Writable` fits. */
export interface ByteTarget {
  readonly destroyed: boolean
  readonly errored: Error | null
  write(chunk: Uint8Array, callback: (error?: Error | null) => void): boolean
  cork(): void
  uncork(): void
}

/** Options for writing frames to a stream. */
export interface WriteOptions extends EncodeOptions {
  /** With an id, the frame is written inside a TAGGED frame `[tagged.layout]`. @default none */
  ids?: MessageIds | undefined
}

/**
 * Reads exactly one frame, so that several readers can take turns on one stream `[frame.sequence]`. Resolves with null
 * if the stream ends at a frame boundary. It corresponds to `ReadFrame` of the original.
 *
 * @throws {WireError} FRAME_TRUNCATED, FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8
 * @throws the error of the stream, if it fails
 */
export async function readFrame(stream: ByteSource, options: DecodeOptions = {}): Promise<Frame | null> {
  const decoder = new FrameDecoder(options)
  for (;;) {
    const chunk = await readChunk(stream, decoder.wanted)
    if (chunk === null) {
      decoder.finish()
      return null
    }
    const [frame] = decoder.push(chunk)
    if (frame !== undefined) return frame
  }
}

/**
 * Writes one frame, inside a TAGGED frame if `options.ids` has an id. Resolves on write, not on the answer: when the
 * stream has accepted all bytes. Backpressure is honoured. It corresponds to `WriteFrame` of the original.
 *
 * @throws {WireError} FRAME_TOO_LARGE, FRAME_INVALID, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID,
 * TAGGED_INVALID, before a byte is written
 * @throws {DriverError} STREAM_CLOSED if the stream is destroyed during the write
 * @throws the error of the stream, if it fails
 */
export async function writeFrame(
  stream: ByteTarget,
  frame: Frame,
  options: WriteOptions = {},
): Promise<void> {
  const { type, payload, filename } = frame
  const header = headerOf({ type, filename, length: payload.length }, options)
  await writePieces(stream, payload.length === 0 ? [header] : [header, payload])
}

/**
 * Writes `trace` as a TRACE frame `[frame.trace-layout]`. Resolves as {@link writeFrame}. It corresponds to
 * `WriteTraceFrame` of the original.
 *
 * @throws {WireError} as {@link writeFrame}; FRAME_INVALID also if a number of `trace` does not fit its field
 */
export async function writeTraceFrame(
  stream: ByteTarget,
  trace: TraceFrame,
  options: WriteOptions = {},
): Promise<void> {
  await writeFrame(stream, traceToFrame(trace), options)
}

/**
 * Writes a frame whose payload comes in pieces, with one piece in memory at a time. Resolves as {@link writeFrame}.
 *
 * @throws {WireError} as {@link writeFrame}; FRAME_INVALID if the total size of the pieces is not `head.length`. The
 * stream is then inside a frame and must be destroyed: the receiver discards the incomplete frame.
 */
export async function writeFrameFrom(
  stream: ByteTarget,
  head: FrameHead,
  pieces: AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<void> {
  await writePieces(stream, [headerOf(head, options)])
  let written = 0
  for await (const piece of pieces) {
    written += piece.length
    if (written > head.length) break
    await writePieces(stream, [piece])
  }
  if (written !== head.length) {
    const found = written > head.length ? 'more' : `only ${written}`
    throw new WireError('FRAME_INVALID', `the frame declares ${head.length} bytes; its body has ${found}`)
  }
}

function headerOf(head: FrameHead, { ids = {}, ...options }: WriteOptions): Uint8Array {
  return encodeTaggedHeader(head, ids, options)
}

/** Writes the encoded pieces of one frame without a gap. Resolves and rejects as {@link writeFrame}. */
export function writePieces(stream: ByteTarget, chunks: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const last = chunks.length - 1
    stream.cork()
    chunks.forEach((chunk, i) => {
      stream.write(chunk, error => {
        const failure = stream.destroyed ? whyDestroyed(stream) : error
        if (failure) reject(failure)
        else if (i === last) resolve()
      })
    })
    stream.uncork()
  })
}

/**
 * Returns the error of a write that a destroyed stream dropped. Sockets of Node 20 report success; later versions
 * report ECANCELED, also in `errored`.
 */
function whyDestroyed({ errored }: ByteTarget): Error {
  if (errored !== null && (errored as { code?: string }).code !== 'ECANCELED') return errored
  return new DriverError('STREAM_CLOSED', 'the stream was closed before all of the frame was written')
}
