import { DriverError, WireError } from '../errors.ts'
import { FrameDecoder } from './decode.ts'
import { type EncodeOptions, encodeFrame, encodeHeader, type FrameHead } from './encode.ts'
import type { Frame } from './frame.ts'
import type { DecodeOptions } from './frame-parser.ts'
import { type TraceFrame, traceToFrame } from './trace.ts'

/** What {@link readFrame} needs of a stream: any Node `Readable` in paused mode has it. */
export interface FrameSource {
  readonly readableLength: number
  readonly readableEnded: boolean
  readonly destroyed: boolean
  readonly errored: Error | null
  read(size?: number): Uint8Array | null
  once(event: string, listener: (error?: Error) => void): unknown
  off(event: string, listener: (error?: Error) => void): unknown
}

/** What {@link writeFrame} needs of a stream: any Node `Writable` has it. */
export interface FrameTarget {
  readonly destroyed: boolean
  readonly errored: Error | null
  write(chunk: Uint8Array, callback: (error?: Error | null) => void): boolean
  cork(): void
  uncork(): void
}

/**
 * Reads one frame, whole, and not a byte more, so that readers may take turns on one stream. Resolves with
 * null where the stream ends at a frame boundary. The original's `ReadFrame`.
 *
 * @throws {WireError} FRAME_TRUNCATED, FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8;
 * rejects with the stream's own error where it fails.
 */
export async function readFrame(stream: FrameSource, options: DecodeOptions = {}): Promise<Frame | null> {
  const decoder = new FrameDecoder(options)
  for (;;) {
    const chunk = await readUpTo(stream, decoder.wanted)
    if (chunk === null) {
      decoder.finish()
      return null
    }
    const [frame] = decoder.push(chunk)
    if (frame !== undefined) return frame
  }
}

/**
 * Writes one frame. Resolves when the stream has passed on all of it: backpressure is honoured, but the
 * peer may not have it yet. The original's `WriteFrame`.
 *
 * @throws {WireError} FRAME_TOO_LARGE, FRAME_INVALID, FILENAME_TOO_LONG, FILENAME_UNSAFE, before a byte is
 * written.
 * @throws {DriverError} STREAM_CLOSED where the stream was destroyed meanwhile; rejects with the stream's own
 * error where it failed.
 */
export async function writeFrame(
  stream: FrameTarget,
  frame: Frame,
  options: EncodeOptions = {},
): Promise<void> {
  await writeAll(stream, encodeFrame(frame, options))
}

/**
 * Writes `trace` as a TRACE frame; the original's `WriteTraceFrame`. Resolves as {@link writeFrame}.
 *
 * @throws {WireError} as {@link writeFrame}; FRAME_INVALID also where a number of `trace` does not fit its field
 */
export async function writeTraceFrame(
  stream: FrameTarget,
  trace: TraceFrame,
  options: EncodeOptions = {},
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
  stream: FrameTarget,
  head: FrameHead,
  pieces: AsyncIterable<Uint8Array>,
  options: EncodeOptions = {},
): Promise<void> {
  await writeAll(stream, [encodeHeader(head, options)])
  let written = 0
  for await (const piece of pieces) {
    written += piece.length
    if (written > head.length) break
    await writeAll(stream, [piece])
  }
  if (written !== head.length) {
    const found = written > head.length ? 'more' : `only ${written}`
    throw new WireError('FRAME_INVALID', `the frame declares ${head.length} bytes; its body has ${found}`)
  }
}

function writeAll(stream: FrameTarget, chunks: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const last = chunks.length - 1
    stream.cork()
    chunks.forEach((chunk, i) => {
      stream.write(chunk, error => {
        // Node's sockets report success for what they dropped when they were destroyed.
        const failure = error ?? (stream.destroyed ? (stream.errored ?? closed()) : null)
        if (failure) reject(failure)
        else if (i === last) resolve()
      })
    })
    stream.uncork()
  })
}

function closed(): DriverError {
  return new DriverError('STREAM_CLOSED', 'the stream was closed before all of the frame was written')
}

/** The next 1 to `size` bytes, or null at the end of the stream. */
async function readUpTo(stream: FrameSource, size: number): Promise<Uint8Array | null> {
  for (;;) {
    // read(n) of more than is buffered would make the stream collect all n first: take what is there. And
    // read(n) of more than its high-water mark would raise that mark, for good, up to the size of a frame.
    const available = Math.min(size, stream.readableLength, READ_SIZE)
    const chunk = available > 0 ? stream.read(available) : stream.read(0)
    if (chunk !== null) return chunk
    if (stream.errored) throw stream.errored
    if (stream.readableEnded || stream.destroyed) return null
    await nextReadable(stream)
  }
}

function nextReadable(stream: FrameSource): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      for (const event of ['readable', 'end', 'close']) stream.off(event, ready)
      stream.off('error', settle)
      if (error) reject(error)
      else resolve()
    }
    const ready = () => settle()
    for (const event of ['readable', 'end', 'close']) stream.once(event, ready)
    stream.once('error', settle)
  })
}

const READ_SIZE = 64 * 1024
