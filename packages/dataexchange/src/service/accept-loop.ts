import { waitToReconnect } from '../async/backoff.ts'
import type { Logger } from '../logger.ts'
import type { Listener, Stream, Streams } from '../pilot/transport.ts'

/** Options of {@link acceptForever}. */
export interface AcceptOptions {
  streams: Streams
  port: number
  logger: Logger
  /** Ends the loop. */
  signal: AbortSignal
  onStream: (stream: Stream) => void
}

/**
 * Accepts streams from `listener` until `signal` is aborted. When the daemon closes the socket, binds the port again with
 * backoff from 100 ms to 10 s, and logs it. Never rejects.
 */
export async function acceptForever(listener: Listener, options: AcceptOptions): Promise<void> {
  const { logger, port, signal } = options
  for (let current: Listener | undefined = listener; current !== undefined; ) {
    try {
      await acceptAll(current, options)
      if (signal.aborted) return
      logger.warn({ port }, 'the listener ended; binding the port again')
    } catch (err) {
      if (signal.aborted) return
      logger.warn({ err, port }, 'the daemon closed the socket; reconnecting')
    }
    current = await listenAgain(options)
  }
}

async function acceptAll(listener: Listener, { onStream, signal }: AcceptOptions): Promise<void> {
  const close = () => void listener.close()
  signal.addEventListener('abort', close, { once: true })
  // The signal may have been aborted during the bind.
  if (signal.aborted) close()
  try {
    for await (const stream of listener) {
      // A stream that arrives during the abort has no owner to end it.
      if (signal.aborted) stream.on('error', () => {}).destroy()
      else onStream(stream)
    }
  } finally {
    signal.removeEventListener('abort', close)
  }
}

async function listenAgain({ streams, port, signal, logger }: AcceptOptions): Promise<Listener | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      await waitToReconnect(tries, signal)
      const listener = await streams.listen(port, { signal })
      logger.info({ port }, 'connected to the daemon again; the port is bound')
      return listener
    } catch (err) {
      if (signal.aborted) return undefined
      logger.warn({ err, port }, 'the daemon does not answer yet')
    }
  }
}
