import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Message, prepare } from '../../client/outgoing.ts'
import { openSource } from '../../client/source/file-source.ts'
import { PluginError } from '../../errors.ts'
import { encodeHeader } from '../../wire/encode.ts'
import { FrameType } from '../../wire/frame.ts'
import { referTo } from '../entry/file-reference.ts'
import type { EntryHead, FileReference } from '../entry/head.ts'

/** The content of a new entry. */
export interface Content {
  readonly head: Pick<EntryHead, 'type' | 'filename' | 'file'>
  /** The payload; empty if the entry refers to a file. */
  payload(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  close(): Promise<void>
}

/** Options of {@link compose}. */
export interface ComposeOptions {
  /** Whether to copy a file that is given by its path. */
  readonly copy: boolean
  /** Bytes of the largest frame. */
  readonly maxFrameSize: number
  /** Most bytes of a stream of unknown size. */
  readonly maxBytes: number
}

/**
 * Prepares a message for storage.
 *
 * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE
 * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED
 * @throws {PluginError} CONFIG_INVALID for a value that is not a message, and for a trace
 */
export async function compose(message: Message, options: ComposeOptions): Promise<Content> {
  if ('trace' in message) {
    throw new PluginError('CONFIG_INVALID', 'a trace measures the present: it cannot wait in the outbox')
  }
  const { maxFrameSize } = options
  if ('file' in message && !options.copy) {
    const path = pathOf(message.file)
    if (path !== undefined) return composeReference(await referTo(path), message.name ?? basename(path))
  }
  if ('file' in message) return composeCopy(message, options)

  const { head, payload, close } = await prepare(message, { maxFrameSize, again: false })
  encodeHeader(head, { maxFrameSize })
  return {
    head: { type: head.type, ...(head.filename !== undefined && { filename: head.filename }) },
    payload: () => (payload instanceof Uint8Array ? [payload] : payload),
    close,
  }
}

function composeReference(file: FileReference, filename: string): Content {
  encodeHeader({ type: FrameType.File, filename, length: 0 })
  return {
    head: { type: FrameType.File, filename, file },
    payload: () => [],
    close: async () => {},
  }
}

async function composeCopy(
  { file, name, size }: Extract<Message, { file: unknown }>,
  { maxBytes }: ComposeOptions,
): Promise<Content> {
  const path = pathOf(file)
  const filename =
    name ??
    (path === undefined ? undefined : basename(path)) ??
    (file instanceof File ? file.name : undefined)
  if (filename === undefined) {
    throw new PluginError('CONFIG_INVALID', 'only a path has a default name; give one: { file, name }')
  }
  encodeHeader({ type: FrameType.File, filename, length: 0 })
  const source = await openSource(path ?? file, maxBytes, size)
  return {
    head: { type: FrameType.File, filename },
    payload: () => source.pieces(),
    close: () => source.close(),
  }
}

/** The absolute path of a file, if it has a path. */
function pathOf(file: Extract<Message, { file: unknown }>['file']): string | undefined {
  if (typeof file === 'string') return resolve(file)
  return file instanceof URL && file.protocol === 'file:' ? fileURLToPath(file) : undefined
}
