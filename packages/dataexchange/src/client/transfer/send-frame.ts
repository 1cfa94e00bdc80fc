import { Readable } from 'node:stream'
import { Client } from '../client.ts'
import type { TransferJob } from './upload-types.ts'

/**
 * Sends a file as one FILE frame. Resolves with the ACK. Does not retry a lost connection: the peer may have stored the
 * file.
 *
 * @throws what Client.dial() and Client.deliver() throw
 */
export async function sendByFrame(job: TransferJob): Promise<string> {
  const { driver, address, file, maxFrameSize, signal, progress, stallTimer } = job
  const { source, name } = file
  const client = await Client.dial(driver, address, { signal, maxFrameSize })
  try {
    stallTimer.reset()
    const before = progress.state.bytesSent
    const advance = (written: number) => {
      stallTimer.reset()
      const phase = written === source.size ? 'finishing' : 'sending'
      progress.update({ phase, bytesDone: written, bytesSent: before + written, bytesResumed: 0 })
    }
    advance(0)
    const data = Readable.from(source.pieces(), { highWaterMark: 1 })
    const message = { file: data, name, size: source.size }
    // The stall timer is the only timeout.
    const timeoutMs = Number.POSITIVE_INFINITY
    return (await client.deliver(message, { signal, answerTimeoutMs: timeoutMs, onProgress: advance })).answer
  } finally {
    await client.close()
  }
}
