import { setTimeout as delay } from 'node:timers/promises'
import { FIXED_LIMITS } from '../limits.ts'
import { MAX_TIMER_MS } from './wait.ts'

/** The shortest and the longest wait between attempts, in ms. */
export interface Backoff {
  readonly min: number
  readonly max: number
}

/**
 * Returns how long to wait, in ms, after `failures` consecutive failed attempts: exponential backoff with jitter. The
 * wait doubles with each failure up to `max`, and never exceeds the longest timer of Node. A random part of up to half
 * of it is subtracted, so that peers that lost a connection together do not reconnect together.
 */
export function backoffMs(
  failures: number,
  { min, max }: Backoff,
  random: () => number = Math.random,
): number {
  const whole = Math.min(max, MAX_TIMER_MS, min * 2 ** Math.max(0, failures - 1))
  return whole * (1 - random() / 2)
}

/**
 * Waits before the next attempt to reconnect to a lost daemon or peer, after `failures` consecutive failed attempts.
 * Rejects with an AbortError when `signal` fires.
 */
export async function waitToReconnect(failures: number, signal: AbortSignal): Promise<void> {
  const bounds = { min: FIXED_LIMITS.reconnectMin.value, max: FIXED_LIMITS.reconnectMax.value }
  await delay(backoffMs(failures, bounds), undefined, { signal })
}
