import { waitToReconnect } from '../../async/backoff.ts'
import { FIXED_LIMITS } from '../../limits.ts'

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

  /** Counts a failed try. False where there have been `FIXED_LIMITS.uploadTries`. */
  fail(): boolean {
    this.#failures++
    return this.#failures < FIXED_LIMITS.uploadTries.value
  }

  /** Waits before the next try. Rejects when `signal` fires. */
  async pause(signal: AbortSignal): Promise<void> {
    await waitToReconnect(this.#failures, signal)
  }
}
