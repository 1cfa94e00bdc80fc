import { type Backoff, backoffMs } from '../../async/backoff.ts'
import type { Logger } from '../../logger.ts'

/** Longest wait between two attempts to reach the daemon of this machine. @limit ms */
const DAEMON_RETRY_MAX_MS = 5_000

/** Tracks, by the outcomes of tries, whether the daemon of this machine runs. Without it no peer can be reached. */
export class DaemonWatch {
  readonly #backoff: Backoff
  readonly #logger: Logger
  /** Called when the daemon is back: peers may be reachable again. */
  readonly #onBack: () => void
  #looks = 0
  #nextAt = 0

  constructor({ min, max }: Backoff, logger: Logger, onBack: () => void) {
    this.#backoff = { min, max: Math.min(max, Math.max(min, DAEMON_RETRY_MAX_MS)) }
    this.#logger = logger
    this.#onBack = onBack
  }

  get isAway(): boolean {
    return this.#looks > 0
  }

  /** Time of the next attempt while it is away, ms since the Unix epoch. */
  get nextAt(): number {
    return this.#nextAt
  }

  /** A try did not reach the daemon. */
  away(reason: string): void {
    this.#looks++
    if (this.#looks === 1) this.#logger.warn({ reason }, 'the outbox waits for the daemon')
    this.#nextAt = Date.now() + backoffMs(this.#looks, this.#backoff)
  }

  /** A try reached the daemon. */
  back(): void {
    if (!this.isAway) return
    this.#looks = 0
    this.#logger.info({}, 'the daemon is back')
    this.#onBack()
  }
}
