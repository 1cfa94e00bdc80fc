import { waitToReconnect } from '../../async/backoff.ts'
import { FIXED_LIMITS } from '../../limits.ts'

/** Counts consecutive tries without progress, with a backoff between them. */
export class Retries {
  #failures = 0

  /** Number of failed tries since the last progress. */
  get failures(): number {
    return this.#failures
  }

  /** Call on progress: restarts the count. */
  reset(): void {
    this.#failures = 0
  }

  /** Counts a failed try. Returns false if the tries are used up. */
  fail(): boolean {
    this.#failures++
    return this.#failures < FIXED_LIMITS.uploadTries.value
  }

  /** Waits before the next try. Rejects when `signal` fires. */
  async pause(signal: AbortSignal): Promise<void> {
    await waitToReconnect(this.#failures, signal)
  }
}
