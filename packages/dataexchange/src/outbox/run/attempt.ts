import { MiB } from '../../bytes.ts'
import type { ResendingClient } from '../../client/resending-client.ts'
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

/** Options of {@link attempt}. */
export interface AttemptOptions {
  /** Folder of the outbox. */
  readonly dir: string
  readonly driver: Network
  readonly maxFrameSize: number | undefined
  readonly answerTimeoutMs: number | undefined
  readonly signal: AbortSignal
  /** Awaited when the peer is connected, before the entry is read and sent. */
  begin(): Promise<void>
}

/** Tries to deliver one entry once, over `client` or, if it is large, in chunks on a connection of its own. Throws the reason if it fails. */
export async function attempt(
  queue: PeerQueue,
  entry: QueuedEntry,
  client: ResendingClient,
  options: AttemptOptions,
): Promise<Delivered> {
  const { dir, driver, maxFrameSize, answerTimeoutMs, signal, begin } = options
  const { stem, target, hasFile, fileSize } = entry
  if (hasFile) await checkFile(dir, stem)
  const send = { dir, stem, signal, answerTimeoutMs }
  if (goesInChunks(fileSize, maxFrameSize ?? defaultMaxFrameSize())) {
    const address = await resolveTarget(driver, target, { signal })
    queue.address = address.toString()
    await begin()
    return sendInChunks(driver, address, { ...send, maxFrameSize })
  }
  try {
    await client.connect({ signal })
  } finally {
    queue.address = client.address?.toString() ?? queue.address
  }
  await begin()
  return sendFrame(client, send)
}

/** The header of a frame takes far less than half of it. */
function goesInChunks(fileSize: number, cap: number): boolean {
  return fileSize > Math.min(FRAME_FILE, cap / 2)
}
