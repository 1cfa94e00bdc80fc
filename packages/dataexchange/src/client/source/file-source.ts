import { randomUUID } from 'node:crypto'
import { type FileHandle, open, stat, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { DeliveryError, PilotError, WireError } from '../../errors.ts'
import { systemCode } from '../../system-errors.ts'

/** The source of a file's bytes: a path, bytes, a Blob, a Node stream, a Web stream, or a source of your own. */
export type FileSource =
  | string
  | URL
  | Uint8Array
  | Blob
  | Readable
  | ReadableStream<Uint8Array>
  | SeekableSource

/** A source whose size is known. */
export interface OpenSource {
  /** Bytes. */
  readonly size: number
  /** All bytes in pieces. Throws SOURCE_CHANGED before the last piece if the file has changed. */
  pieces(): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A source that can be read at any offset, any number of times. */
export interface SeekableSource extends OpenSource {
  /** Fills `into` with the bytes from offset `at`. Throws SOURCE_CHANGED if the file has become too short. */
  read(into: Uint8Array, at: number): Promise<void>
  /** Throws SOURCE_CHANGED if the file has another size or time of change than when it was opened. */
  check(): Promise<void>
}

/**
 * Opens a source. A stream is first copied to an unlinked temporary file, up to `maxSize` bytes: a FILE frame declares its
 * size before its data. With `size` it is not copied. Memory is bounded. `signal` destroys a stream that is being copied.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE
 * @throws {WireError} FRAME_TOO_LARGE for a stream over `maxSize`
 */
export async function openSource(
  source: FileSource,
  maxSize: number,
  size?: number,
  signal?: AbortSignal,
): Promise<OpenSource> {
  if (size !== undefined && isStream(source)) {
    return { size, pieces: () => withReadErrors(bytesOf(source)), close: async () => {} }
  }
  return openSeekable(source, maxSize, signal)
}

/**
 * Opens a source to read more than once: every stream is copied to an unlinked temporary file. Otherwise like
 * {@link openSource}.
 *
 * @param maxSize @default no limit
 */
export async function openSeekable(
  source: FileSource,
  maxSize: number = Number.POSITIVE_INFINITY,
  signal?: AbortSignal,
): Promise<SeekableSource> {
  try {
    const opened = await openAny(source, maxSize, signal)
    return {
      size: opened.size,
      check: () => opened.check(),
      close: () => opened.close(),
      pieces: () => withReadErrors(opened.pieces()),
      read: async (into, at) => {
        try {
          await opened.read(into, at)
        } catch (error) {
          throw readError(error)
        }
      },
    }
  } catch (error) {
    throw readError(error)
  }
}

async function openAny(
  source: FileSource,
  maxSize: number,
  signal: AbortSignal | undefined,
): Promise<SeekableSource> {
  if (typeof source === 'string' || source instanceof URL) return openPath(source, maxSize)
  if (source instanceof Uint8Array) return ofBytes(source)
  if (source instanceof Blob) return ofBlob(source)
  if (isOpen(source)) return source
  return spool(bytesOf(source, signal), maxSize)
}

function isStream(source: FileSource): source is Readable | ReadableStream<Uint8Array> {
  const isWhole = source instanceof Uint8Array || source instanceof Blob || source instanceof URL
  return typeof source !== 'string' && !isWhole && !isOpen(source)
}

function isOpen(source: FileSource): source is SeekableSource {
  return typeof source === 'object' && 'pieces' in source
}

const PIECE = 256 * 1024

async function openPath(path: string | URL, maxSize: number): Promise<SeekableSource> {
  try {
    // Before open(), which waits for a writer on a FIFO.
    const found = await stat(path)
    if (!found.isFile()) {
      const what = found.isDirectory()
        ? 'a folder, not a file (send-file sends folders)'
        : 'not a regular file'
      throw new DeliveryError('SOURCE_UNREADABLE', `${path} is ${what}`)
    }
    const handle = await open(path, 'r')
    return await closingOnError(handle, async () =>
      (await holdsMoreThanItSays(handle)) ? spoolAll(handle, maxSize) : ofHandle(handle, String(path)),
    )
  } catch (cause) {
    const code = systemCode(cause)
    if (code === undefined) throw cause
    throw new DeliveryError('SOURCE_UNREADABLE', `${path} cannot be read: ${REASONS[code] ?? code}`, {
      cause,
    })
  }
}

const REASONS: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'permission denied' }

/** Files that the kernel generates, in /proc, have size zero. */
async function holdsMoreThanItSays(handle: FileHandle): Promise<boolean> {
  if ((await handle.stat()).size > 0) return false
  return (await handle.read(Buffer.alloc(1), 0, 1, 0)).bytesRead > 0
}

async function spoolAll(handle: FileHandle, maxSize: number): Promise<SeekableSource> {
  const spooled = await spool(untilEnd(handle), maxSize)
  await handle.close()
  return spooled
}

async function* untilEnd(handle: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(PIECE), 0, PIECE, at)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}

async function ofHandle(handle: FileHandle, name: string): Promise<SeekableSource> {
  const { size, mtimeMs } = await handle.stat()
  const changed = () =>
    new DeliveryError(
      'SOURCE_CHANGED',
      `${name} changed while it was sent; send it again when nothing writes to it`,
    )

  const read = async (into: Uint8Array, from: number) => {
    for (let used = 0; used < into.length; ) {
      const { bytesRead } = await handle.read(into, used, into.length - used, from + used)
      if (bytesRead === 0) throw changed()
      used += bytesRead
    }
  }
  const check = async () => {
    const now = await handle.stat()
    if (now.size !== size || now.mtimeMs !== mtimeMs) throw changed()
  }
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < size; at += PIECE) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, size - at))
      await read(buffer, at)
      // The last piece completes the frame. Check first: the receiver must not get a mix of two versions.
      if (at + buffer.length === size) await check()
      yield buffer
    }
  }
  return { size, pieces, read, check, close: () => handle.close() }
}

function ofBytes(bytes: Uint8Array): SeekableSource {
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    yield bytes
  }
  const read = async (into: Uint8Array, at: number) => into.set(bytes.subarray(at, at + into.length))
  return { size: bytes.length, pieces, read, check: async () => {}, close: async () => {} }
}

function ofBlob(blob: Blob): SeekableSource {
  const pieces = () => blob.stream() as unknown as AsyncIterable<Uint8Array>
  const read = async (into: Uint8Array, at: number) => {
    into.set(new Uint8Array(await blob.slice(at, at + into.length).arrayBuffer()))
  }
  return { size: blob.size, pieces, read, check: async () => {}, close: async () => {} }
}

async function spool(pieces: AsyncIterable<Uint8Array>, maxSize: number): Promise<SeekableSource> {
  const path = join(tmpdir(), `pilot-dx-${randomUUID()}`)
  const handle = await open(path, 'wx+', 0o600)
  return closingOnError(handle, async () => {
    // Unlinked, so that the end of the process frees it.
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
    return ofHandle(handle, 'the spooled stream')
  })
}

async function closingOnError<T>(handle: FileHandle, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function* bytesOf(
  source: Readable | ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  // addAbortSignal accepts Web streams, though its type does not say so. Call it when reading starts, which gets the error.
  if (signal !== undefined) addAbortSignal(signal, source as Readable)
  for await (const piece of source as AsyncIterable<unknown>) {
    if (typeof piece === 'string') yield Buffer.from(piece)
    else if (piece instanceof Uint8Array) yield piece
    else throw new DeliveryError('SOURCE_UNREADABLE', `a stream to send gave ${typeof piece}, not bytes`)
  }
}

/** Turns errors of the source into one code, to tell them from errors of the connection. */
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
  const message = `the source could not be read to its end: ${why}`
  return new DeliveryError('SOURCE_UNREADABLE', message, { cause })
}
