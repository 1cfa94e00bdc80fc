import type { ResendingClient } from '../../client/resending-client.ts'
import type { SeekableSource } from '../../client/source/file-source.ts'
import { transferFile } from '../../client/transfer/transfer-file.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import type { Address } from '../../pilot/address.ts'
import { EntryReader } from '../entry/file.ts'
import { checkReference, openReference } from '../entry/file-reference.ts'
import type { Network } from './lazy-network.ts'

/** The peer's answer. */
export interface Delivered {
  readonly type: string
  readonly size: number
  /** True if the peer had it already. */
  readonly duplicate: boolean
}

/** The entry to send. */
export interface SendOptions {
  /** Folder of the outbox. */
  readonly dir: string
  readonly stem: string
  readonly signal: AbortSignal
  /** ms for the answer. @default the client's */
  readonly answerTimeoutMs: number | undefined
}

/**
 * Sends an entry in one frame. Resolves on the ACK. A small payload is verified before the first byte is sent, a large one
 * before the last: no peer can complete a damaged one.
 *
 * @throws what {@link EntryReader.open}, {@link openReference} and `Client.deliver` throw
 */
export function sendFrame(client: ResendingClient, options: SendOptions): Promise<Delivered> {
  const { signal, answerTimeoutMs } = options
  return withEntry(options, async (reader, source) => {
    const { messageId, replyTo, type, filename, file } = reader.head
    const named = { type, ...(filename !== undefined && { filename }) }
    const isSmall = file === undefined && source.size <= FIXED_LIMITS.wholeFrame.value
    const message = isSmall ? { ...named, payload: await reader.whole() } : { ...named, source }
    return client.deliver(message, { messageId, replyTo, signal, answerTimeoutMs })
  })
}

/** Like {@link sendFrame}, in chunks. `maxFrameSize` is for a peer without FILESTREAM. */
export function sendInChunks(
  driver: Network,
  address: Address,
  options: SendOptions & { maxFrameSize: number | undefined },
): Promise<Delivered> {
  const { signal, maxFrameSize } = options
  return withEntry(options, async ({ head: { filename = '' } }, source) => {
    const transfer = transferFile(driver, address, source, { name: filename, signal, maxFrameSize })
    const { size } = await transfer.result
    return { type: 'FILE', size, duplicate: false }
  })
}

/**
 * Checks, before any connection, that the referenced file of an entry has not changed.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED
 */
export async function checkFile(dir: string, stem: string): Promise<void> {
  const reader = await EntryReader.open(dir, stem)
  await reader.close()
  if (reader.head.file !== undefined) await checkReference(reader.head.file)
}

async function withEntry<T>(
  { dir, stem }: SendOptions,
  send: (reader: EntryReader, source: SeekableSource) => Promise<T>,
): Promise<T> {
  const reader = await EntryReader.open(dir, stem)
  try {
    const { file } = reader.head
    if (file === undefined) return await send(reader, withoutClose(await reader.payload()))
    const source = await openReference(file)
    try {
      return await send(reader, withoutClose(source))
    } finally {
      await source.close()
    }
  } finally {
    await reader.close()
  }
}

/** A source that its sender does not close. */
function withoutClose(source: SeekableSource): SeekableSource {
  return {
    size: source.size,
    pieces: () => source.pieces(),
    read: (into, at) => source.read(into, at),
    check: () => source.check(),
    close: async () => {},
  }
}
