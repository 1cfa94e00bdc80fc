import { setTimeout as delay } from 'node:timers/promises'
import { LIMITS } from '../../limits.ts'

/** Counts the tries in a row that brought nothing, and waits between them, longer each time. */
export class Retries {
  #failures = 0

  /** How many failed since there was progress. */
  get failures(): number {
    return this.#failures
  }

  /** There was progress: the count begins again. */
  reset(): void {
    this.#failures = 0
  }

  /** Counts a failed try. False where there have been `LIMITS.uploadTries`. */
  fail(): boolean {
    this.#failures++
    return this.#failures < LIMITS.uploadTries.value
  }

  /** Waits before the next try. Rejects when `signal` fires. */
  async pause(signal: AbortSignal): Promise<void> {
    await delay(pauseMs(this.#failures, Math.random()), undefined, { signal })
  }
}

/**
 * How long to wait after `failures` failed tries: doubled each time up to a bound, and at random from half of it
 * up, so that those who lost one peer together do not come back together.
 */
export function pauseMs(failures: number, random: number): number {
  const { reconnectMin, reconnectMax } = LIMITS
  const longest = Math.min(reconnectMin.value * 2 ** Math.max(0, failures - 1), reconnectMax.value)
  return longest * (0.5 + random / 2)
}
