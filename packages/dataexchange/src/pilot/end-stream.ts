import { FIXED_LIMITS } from '../limits.ts'
import type { Stream } from './transport.ts'

/** Writes what is left and closes; resolves when the stream is closed, at the latest after `FIXED_LIMITS.closeTimeout`. */
export async function endStream(stream: Stream): Promise<void> {
  if (stream.closed) return
  const closed = new Promise(resolve => stream.once('close', resolve))
  const bound = setTimeout(() => stream.destroy(), FIXED_LIMITS.closeTimeout.value)
  stream.end()
  // What is left unread would hide that the peer has closed.
  stream.on('data', () => {}).resume()
  await closed
  clearTimeout(bound)
}
