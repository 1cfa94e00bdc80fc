import { FIXED_LIMITS } from '../limits.ts'
import type { Stream } from './transport.ts'

/** Options of {@link endStream}. */
export interface EndStreamOptions {
  /** Delays the end until this promise settles, for writes that are still queued. @default none */
  after?: Promise<unknown>
  /** Delays the end by this time in ms, so that the peer can close first. @default 0 */
  lingerMs?: number
}

/**
 * Flushes and closes `stream`. Resolves when it is closed, after 5 s at the latest (`FIXED_LIMITS.closeTimeout`): then the
 * stream is destroyed, also while `after` is pending. Unread bytes are discarded, because 'close' comes only after them.
 */
export async function endStream(
  stream: Stream,
  { after, lingerMs = 0 }: EndStreamOptions = {},
): Promise<void> {
  if (stream.closed) return
  const closed = new Promise(resolve => stream.once('close', resolve))
  const bound = setTimeout(() => stream.destroy(), FIXED_LIMITS.closeTimeout.value)
  let linger: NodeJS.Timeout | undefined
  const end = () => {
    if (lingerMs > 0) linger = setTimeout(() => stream.end(), lingerMs)
    else stream.end()
    stream.on('data', () => {}).resume()
  }
  if (after === undefined) end()
  else void after.then(end, end)
  await closed
  clearTimeout(bound)
  clearTimeout(linger)
}
