import { randomUUID } from 'node:crypto'
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { DeliveryError, PilotError, systemCode, WireError } from '../errors.ts'

/** Where the bytes of a file come from: a path, bytes, a Blob, a Node stream or a Web stream. */
export type FileSource = string | URL | Uint8Array | Blob | Readable | ReadableStream<Uint8Array>

/** A source whose size is known. */
export interface OpenSource {
  /** Bytes. */
  readonly size: number
  /** All bytes, once, in pieces. Throws SOURCE_CHANGED before the last piece where a file has changed. */
  pieces(): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/**
 * Opens a source. A stream has no size, which a FILE frame must declare before its data: it is spooled to a
 * temporary file first, up to `maxSize` bytes, unless `size` tells how long it is. Memory stays bounded
 * whatever the source is. A stream that is being spooled is destroyed when `signal` fires.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE
 * @throws {WireError} FRAME_TOO_LARGE where a stream is longer than `maxSize`
 */
export async function openSource(
  source: FileSource,
  maxSize: number,
  size?: number,
  signal?: AbortSignal,
): Promise<OpenSource> {
  try {
    const opened = await openAny(source, maxSize, size, signal)
    return { ...opened, pieces: () => withReadErrors(opened.pieces()) }
  } catch (error) {
    throw readError(error)
  }
}

async function openAny(
  source: FileSource,
  maxSize: number,
  size: number | undefined,
  signal: AbortSignal | undefined,
): Promise<OpenSource> {
  if (typeof source === 'string' || source instanceof URL) return openPath(source)
  if (source instanceof Uint8Array) return ofPieces(source.length, () => [source])
  if (source instanceof Blob) {
    return ofPieces(source.size, () => source.stream() as unknown as AsyncIterable<Uint8Array>)
  }
  if (size !== undefined) return ofPieces(size, () => bytesOf(source))
  return spool(bytesOf(source, signal), maxSize)
}

const PIECE = 256 * 1024

async function openPath(path: string | URL): Promise<OpenSource> {
  try {
    // Before opening: to open a FIFO would wait for its writer.
    if (!(await stat(path)).isFile()) {
      throw new DeliveryError('SOURCE_UNREADABLE', `${path} is not a regular file; send files one by one`)
    }
    const handle = await open(path, 'r')
    return await ofHandle(handle, String(path))
  } catch (cause) {
    const code = systemCode(cause)
    if (code === undefined) throw cause
    throw new DeliveryError('SOURCE_UNREADABLE', `${path} cannot be read: ${REASONS[code] ?? code}`, {
      cause,
    })
  }
}

const REASONS: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'permission denied' }

async function ofHandle(handle: FileHandle, name: string): Promise<OpenSource> {
  const before = await handle.stat()
  const changed = () =>
    new DeliveryError('SOURCE_CHANGED', `${name} changed while it was sent; send it again once it is at rest`)

  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < before.size; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, before.size - at))
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) throw changed()
      at += bytesRead
      // The last piece completes the frame: the receiver must not get it of a file that is two versions mixed.
      if (at === before.size) {
        const after = await handle.stat()
        if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) throw changed()
      }
      yield buffer.subarray(0, bytesRead)
    }
  }
  return { size: before.size, pieces, close: () => handle.close() }
}

function ofPieces(size: number, pieces: () => AsyncIterable<Uint8Array> | Uint8Array[]): OpenSource {
  async function* all(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* pieces()
  }
  return { size, pieces: all, close: async () => {} }
}

async function spool(pieces: AsyncIterable<Uint8Array>, maxSize: number): Promise<OpenSource> {
  const path = join(tmpdir(), `pilot-dx-${randomUUID()}`)
  const handle = await open(path, 'wx+', 0o600)
  try {
    // Without a name from here on, so that nothing is left behind however this process ends.
    await unlink(path)
    let size = 0
    for await (const piece of pieces) {
      size += piece.length
      if (size > maxSize) {
        throw new WireError(
          'FRAME_TOO_LARGE',
          `the stream has more than the ${maxSize} bytes that fit a frame`,
        )
      }
      await handle.appendFile(piece)
    }
    return await ofHandle(handle, 'the spooled stream')
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function* bytesOf(
  source: Readable | ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  // It takes Web streams too, which its type does not say. Not before somebody reads, who gets the error.
  if (signal !== undefined) addAbortSignal(signal, source as Readable)
  for await (const piece of source as AsyncIterable<unknown>) {
    if (typeof piece === 'string') yield Buffer.from(piece)
    else if (piece instanceof Uint8Array) yield piece
    else throw new DeliveryError('SOURCE_UNREADABLE', `a stream to send gave ${typeof piece}, not bytes`)
  }
}

/** A source that fails while it is read: its caller must be able to tell that from a connection that fails. */
async function* withReadErrors(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* pieces
  } catch (error) {
    throw readError(error)
  }
}

function readError(cause: unknown): PilotError {
  if (cause instanceof PilotError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  const message = `what was to be sent could not be read to its end: ${why}`
  return new DeliveryError('SOURCE_UNREADABLE', message, { cause })
}
