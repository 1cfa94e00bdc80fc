import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { utf8 } from '../bytes.ts'
import { wallClockNs } from '../clock.ts'
import { PluginError, WireError } from '../errors.ts'
import type { FrameHead } from '../wire/encode.ts'
import { FrameType } from '../wire/frame.ts'
import { traceToFrame } from '../wire/trace.ts'
import { type FileSource, type OpenSource, openSource } from './source/file-source.ts'

/** A message to deliver, in one of these shapes. */
export type Message =
  /** A TEXT frame. */
  | { text: string }
  /** A JSON frame: bytes are sent unchanged, any other value through JSON.stringify. */
  | { json: unknown }
  /** A BINARY frame. */
  | { binary: Uint8Array }
  /**
   * A FILE frame. `name` defaults to the base name of a path. With `size` (bytes) a stream is sent without spooling it
   * first.
   */
  | { file: FileSource; name?: string | undefined; size?: number | undefined }
  /** A TRACE frame around a frame of `innerType` (see FrameType) with the payload `data`. */
  | { trace: Uint8Array; innerType?: number | undefined }
  /** A frame of `type` whose payload is read while it is sent, perhaps twice. The caller closes the source. */
  | { type: number; source: OpenSource; filename?: string | undefined }
  /** Any frame. */
  | { type: number; payload: Uint8Array; filename?: string | undefined }

/** A message that is ready to write. */
export interface Outgoing {
  readonly head: FrameHead
  /** Can be iterated more than once, unless it is a stream that was prepared without `again`. */
  readonly payload: Uint8Array | AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** Options of {@link prepare}. */
export interface PrepareOptions {
  /** Bytes of the longest stream that is accepted. */
  readonly maxFrameSize: number
  /** True if it may be sent twice: then a stream is spooled even if its size is known. */
  readonly again: boolean
  /** Aborts the spooling of a stream. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Prepares a message: opens its file, takes the time of a TRACE.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE
 * @throws {PluginError} CONFIG_INVALID for a value that is not a message
 * @throws {WireError} FRAME_INVALID if a spooled stream has not the declared `size`
 */
export async function prepare(message: Message, options: PrepareOptions): Promise<Outgoing> {
  if ('text' in message) return whole({ type: FrameType.Text }, utf8(message.text))
  if ('json' in message) return whole({ type: FrameType.JSON }, jsonBytes(message.json))
  if ('binary' in message) return whole({ type: FrameType.Binary }, message.binary)
  if ('trace' in message) return prepareTrace(message.trace, message.innerType ?? FrameType.Text)
  if ('file' in message) return prepareFile(message, options)
  if ('source' in message) return ofSource(message)
  const { type, payload, filename } = message
  if (!(payload instanceof Uint8Array)) {
    throw new PluginError(
      'CONFIG_INVALID',
      'not a message: it needs text, json, binary, file, trace or payload',
    )
  }
  return whole({ type, ...(filename !== undefined && { filename }) }, payload)
}

function whole(head: Omit<FrameHead, 'length'>, payload: Uint8Array): Outgoing {
  return { head: { ...head, length: payload.length }, payload, close: async () => {} }
}

function prepareTrace(payload: Uint8Array, innerType: number): Outgoing {
  const frame = traceToFrame({ sentAtNs: wallClockNs(), innerType, payload })
  return whole({ type: frame.type }, frame.payload)
}

async function prepareFile(
  { file, name = nameOf(file), size }: { file: FileSource; name?: string; size?: number },
  { maxFrameSize, again, signal }: PrepareOptions,
): Promise<Outgoing> {
  const source = await openSource(file, maxFrameSize, again ? undefined : size, signal)
  if (size !== undefined && source.size !== size) {
    await source.close()
    throw new WireError('FRAME_INVALID', `the declared size is ${size} bytes; the file has ${source.size}`)
  }
  return {
    head: { type: FrameType.File, filename: name, length: source.size },
    payload: { [Symbol.asyncIterator]: () => source.pieces()[Symbol.asyncIterator]() },
    close: () => source.close(),
  }
}

function ofSource({
  type,
  source,
  filename,
}: {
  type: number
  source: OpenSource
  filename?: string
}): Outgoing {
  return {
    head: { type, length: source.size, ...(filename !== undefined && { filename }) },
    payload: { [Symbol.asyncIterator]: () => source.pieces()[Symbol.asyncIterator]() },
    close: async () => {},
  }
}

/**
 * The default name of `file`.
 *
 * @throws {PluginError} CONFIG_INVALID if it has none, or is a URL that is not a `file:` URL
 */
export function nameOf(file: FileSource): string {
  if (typeof file === 'string') return basename(file)
  if (file instanceof URL) {
    if (file.protocol === 'file:') return basename(fileURLToPath(file))
    throw new PluginError(
      'CONFIG_INVALID',
      `${file.protocol} cannot be read; give a file: URL, or its stream`,
    )
  }
  if (file instanceof File) return file.name
  throw new PluginError('CONFIG_INVALID', 'only a path has a default name; give one: { file, name }')
}

function jsonBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  let text: string | undefined
  let cause: unknown
  try {
    text = JSON.stringify(value)
  } catch (error) {
    cause = error
  }
  if (text !== undefined) return utf8(text)
  const why = cause instanceof Error ? cause.message : `${typeof value} has no JSON form`
  throw new PluginError('CONFIG_INVALID', `${why}; send a value that JSON can hold`, { cause })
}
