/**
 * Calls `onOver` after `ms` milliseconds, and never if `ms` is undefined. A time longer than Node's timers can wait,
 * 24.8 days, is never, too.
 *
 * @returns the timer, for `clearTimeout`
 */
export function deadline(ms: number | undefined, onOver: () => void): NodeJS.Timeout | undefined {
  return ms === undefined || ms > LONGEST_TIMER_MS ? undefined : setTimeout(onOver, ms)
}

/** Node fires timers that are longer at once. */
const LONGEST_TIMER_MS = 0x7fff_ffff
