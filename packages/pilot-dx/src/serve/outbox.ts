import type { Driver, Logger } from 'pilot-dataexchange'
import { Outbox } from 'pilot-dataexchange/outbox'
import type { EventBus } from 'pilot-dataexchange/plugin'

/** Where {@link serveOutbox} sends, tells and logs. */
export interface ServeOutboxOptions {
  driver: Driver
  events: EventBus
  logger: Logger
}

/**
 * Sends what waits in the outbox at `dir` until the function that it resolves with is called. Where that fails, the
 * log says so, and the rest of the node goes on.
 */
export async function serveOutbox(
  dir: string,
  { driver, events, logger }: ServeOutboxOptions,
): Promise<() => Promise<void>> {
  const outbox = await Outbox.open({ dir })
  const ending = new AbortController()
  const run = outbox
    .run({ driver, events, logger, signal: ending.signal })
    .catch((err: unknown) => logger.error({ err }, 'the outbox is not sent from here'))
  // Whoever has just sent something can be reached.
  const unsubscribe = events.subscribe('message.received', ({ payload }) => {
    outbox.wake(payload.from)
  })
  return async () => {
    unsubscribe()
    ending.abort()
    await run
  }
}
