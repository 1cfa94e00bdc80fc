import { DriverError, WireError } from '../errors.ts'
import { FrameDecoder } from './decode.ts'
import type { EncodeOptions, FrameHead } from './encode.ts'
import type { Frame } from './frame.ts'
import type { DecodeOptions } from './frame-parser.ts'
import { type ByteSource, readChunk } from './read-chunk.ts'
import { encodeTaggedHeader, type MessageIds } from './tagged.ts'
import { type TraceFrame, traceToFrame } from './trace.ts'

/** What {@link writeFrame} needs of a stream: any Node `Writable` has it. */
export interface ByteTarget {
  readonly destroyed: boolean
  readonly errored: Error | null
  write(chunk: Uint8Array, callback: (error?: Error | null) => void): boolean
  cork(): void
  uncork(): void
}

/** Options for writing frames to a stream. */
export interface WriteOptions extends EncodeOptions {
  /** With one of them the frame is written inside a TAGGED one (section 5). @default none */
  ids?: MessageIds | undefined
}

/**
 * Reads one frame, whole, and not a byte more, so that readers may take turns on one stream. Resolves with
 * null where the stream ends at a frame boundary. The original's `ReadFrame`.
 *
 * @throws {WireError} FRAME_TRUNCATED, FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8;
 * rejects with the stream's own error where it fails.
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
 * Writes one frame, inside a TAGGED one where `options.ids` holds an id. Resolves when the stream has passed on all of it: backpressure is honoured, but the
 * peer may not have it yet. The original's `WriteFrame`.
 *
 * @throws {WireError} FRAME_TOO_LARGE, FRAME_INVALID, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID,
 * TAGGED_INVALID, before a byte is written.
 * @throws {DriverError} STREAM_CLOSED where the stream was destroyed meanwhile; rejects with the stream's own
 * error where it failed.
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
 * Writes `trace` as a TRACE frame; the original's `WriteTraceFrame`. Resolves as {@link writeFrame}.
 *
 * @throws {WireError} as {@link writeFrame}; FRAME_INVALID also where a number of `trace` does not fit its field
 */
export async function writeTraceFrame(
  stream: ByteTarget,
  trace: TraceFrame,
  options: WriteOptions = {},
): Promise<void> {
  await writeFrame(stream, traceToFrame(trace), options)
}

/**
 * Writes a frame whose payload comes in pieces, one piece in memory at a time. Resolves as
 * {@link writeFrame}.
 *
 * @throws {WireError} as {@link writeFrame}; FRAME_INVALID where the pieces are not `head.length` bytes in
 * all. The stream is then inside a frame and must be destroyed: the receiver drops what it has of it.
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

/**
 * Writes the pieces of one frame, as encoders give them, and nothing between them. Resolves and rejects as
 * {@link writeFrame}.
 */
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
 * What a write that a destroyed stream dropped fails with. Node 20's sockets call it a success, later ones a
 * cancelled write, also in `errored`.
 */
function whyDestroyed({ errored }: ByteTarget): Error {
  if (errored !== null && (errored as { code?: string }).code !== 'ECANCELED') return errored
  return new DriverError('STREAM_CLOSED', 'the stream was closed before all of the frame was written')
}
