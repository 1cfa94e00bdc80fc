import { AbortError, DriverError } from '../errors.ts'

/** Options of operations that wait. */
export interface WaitOptions {
  /**
   * Aborts the operation: it rejects with an {@link AbortError} (code ABORTED), whose `cause` is the reason of the
   * signal. Operations that run until they are stopped, such as `Outbox.run`, `InboxConsumer.messages` and
   * `watchInbox`, end without an error instead. @default never
   */
  signal?: AbortSignal | undefined
  /** Milliseconds after which the operation rejects with a {@link DriverError}, code TIMED_OUT. @default no limit */
  timeoutMs?: number | undefined
}

/**
 * Runs `start` until it settles, the signal of the caller fires, or the time is over. `start` receives a signal that
 * fires in the latter two cases with the error of the call as its reason. It must then free its resources, even if its
 * own result comes later.
 *
 * @throws {AbortError}
 * @throws {DriverError} TIMED_OUT
 * @throws any error of `start`
 */
export async function withWait<T>(
  what: string,
  { signal, timeoutMs }: WaitOptions,
  start: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const onAbort = () => {
    controller.abort(new AbortError(`${what} was aborted`, { cause: signal?.reason }))
  }
  if (signal?.aborted) onAbort()
  controller.signal.throwIfAborted()
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = afterMs(timeoutMs, () => {
    controller.abort(new DriverError('TIMED_OUT', `${what} took longer than ${timeoutMs} ms`))
  })
  try {
    return await Promise.race([start(controller.signal), rejectOnAbort(controller.signal)])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The longest delay of a timer in Node, 24.8 days: setTimeout fires at once if the delay is longer. */
export const MAX_TIMER_MS = 0x7fff_ffff

/** Calls `run` after `ms` milliseconds; never if `ms` is undefined or longer than {@link MAX_TIMER_MS}. */
export function afterMs(ms: number | undefined, run: () => void): NodeJS.Timeout | undefined {
  return ms === undefined || ms > MAX_TIMER_MS ? undefined : setTimeout(run, ms)
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
