import type { Driver, Logger } from 'pilot-dataexchange'
import { Outbox } from 'pilot-dataexchange/outbox'
import type { EventBus } from 'pilot-dataexchange/plugin'

/** Options of {@link serveOutbox}. */
export interface ServeOutboxOptions {
  driver: Driver
  events: EventBus
  logger: Logger
}

/**
 * Sends the outbox at `dir` until the returned function is called. A failure is logged, and the rest of the node
 * continues.
 */
export async function serveOutbox(
  dir: string,
  { driver, events, logger }: ServeOutboxOptions,
): Promise<() => Promise<void>> {
  const outbox = await Outbox.open({ dir })
  const ending = new AbortController()
  const run = outbox
    .run({ driver, events, logger, signal: ending.signal })
    .catch((err: unknown) => logger.error({ err }, 'this process does not send the outbox'))
  // A peer that has just sent a frame is reachable.
  const unsubscribe = events.subscribe('message.received', ({ payload }) => {
    outbox.wake(payload.from)
  })
  return async () => {
    unsubscribe()
    ending.abort()
    await run
  }
}
