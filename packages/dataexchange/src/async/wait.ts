import { AbortError, DriverError } from '../errors.ts'

/** Options for what waits. */
export interface WaitOptions {
  /**
   * Gives up when it fires: the call rejects with an `AbortError`, code ABORTED, the signal's reason as its `cause`. Every
   * call with a `signal` does so, but for those that run until they are stopped, such as `Outbox.run`,
   * `InboxConsumer.messages` and `watchInbox`: an abort ends them without an error.
   */
  signal?: AbortSignal | undefined
  /** Gives up after this many milliseconds: the call rejects with a {@link DriverError}, code TIMED_OUT. */
  timeoutMs?: number | undefined
}

/**
 * Runs `start` and gives up on it when the caller's signal fires or the time is over. `start` is handed a
 * signal that fires in both cases, its reason being the error that the call rejects with; it must then free
 * what it holds, also where its own result comes too late.
 *
 * @throws {AbortError}
 * @throws {DriverError} TIMED_OUT
 * @throws whatever `start` throws
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

/** setTimeout that takes "never" (undefined, Infinity) and waits longer than Node's 24.8 days as "never". */
export function afterMs(ms: number | undefined, run: () => void): NodeJS.Timeout | undefined {
  return ms === undefined || ms > 0x7fff_ffff ? undefined : setTimeout(run, ms)
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
