import { MiB } from '../../bytes.ts'
import { Client } from '../../client/client.ts'
import { resolveTarget } from '../../client/target.ts'
import { defaultMaxFrameSize } from '../../max-frame-size.ts'
import type { Network } from './lazy-network.ts'
import type { PeerQueue, QueuedEntry } from './peer-queue.ts'
import { checkFile, type Delivered, sendFrame, sendInChunks } from './send-entry.ts'

/**
 * Largest file that the outbox sends in one frame with its message id, so that it arrives once; a larger one
 * is sent in chunks that resume.
 * @limit bytes
 */
const FRAME_FILE = 8 * MiB

/** What an {@link attempt} works with. */
export interface AttemptOptions {
  /** Of the outbox. */
  readonly dir: string
  readonly driver: Network
  readonly maxFrameSize: number | undefined
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
  /** Awaited when the peer is reached, before the entry is read and a byte of it is written. */
  begin(): Promise<void>
}

/** The connection to a peer, kept from one entry to the next. */
export class Connection {
  #client: Client | undefined

  async get(dial: () => Promise<Client>): Promise<Client> {
    this.#client ??= await dial()
    return this.#client
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.close()
  }
}

/** Tries to deliver one entry, once. Throws what hinders it. */
export async function attempt(
  queue: PeerQueue,
  entry: QueuedEntry,
  connection: Connection,
  options: AttemptOptions,
): Promise<Delivered> {
  const { dir, driver, maxFrameSize, timeoutMs, signal, begin } = options
  const { stem, target, hasFile, fileSize } = entry
  if (hasFile) await checkFile(dir, stem)
  const resolve = async () => {
    const address = await resolveTarget(driver, target, { signal })
    queue.address = address.toString()
    return address
  }
  const send = { dir, stem, signal, timeoutMs }
  if (goesInChunks(fileSize, maxFrameSize ?? defaultMaxFrameSize())) {
    const address = await resolve()
    await begin()
    return sendInChunks(driver, address, { ...send, maxFrameSize })
  }
  const client = await connection.get(async () =>
    Client.dial(driver, await resolve(), { signal, maxFrameSize }),
  )
  await begin()
  return sendFrame(client, send)
}

/** What is around a file takes much less than the other half of a frame. */
function goesInChunks(fileSize: number, cap: number): boolean {
  return fileSize > Math.min(FRAME_FILE, cap / 2)
}
