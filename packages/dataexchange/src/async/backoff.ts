/** The bounds of a wait between tries, in ms. */
export interface Backoff {
  readonly min: number
  readonly max: number
}

/**
 * ms to wait after `failures` failed tries in a row: twice as long each time, less up to half at random, so that
 * those who lost something together do not come back to it together.
 */
export function backoffMs(
  failures: number,
  { min, max }: Backoff,
  random: () => number = Math.random,
): number {
  const whole = Math.min(max, min * 2 ** Math.max(0, failures - 1))
  return whole * (1 - random() / 2)
}
