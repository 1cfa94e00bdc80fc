import { afterMs } from '../../async/wait.ts'

/** Calls `bite` once it has not been fed for a while. */
export class Watchdog {
  readonly #timeoutMs: number
  readonly #bite: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number, bite: () => void) {
    this.#timeoutMs = timeoutMs
    this.#bite = bite
  }

  /** There was progress: the time begins again, `extraMs` longer this once. */
  feed(extraMs = 0): void {
    clearTimeout(this.#timer)
    this.#timer = afterMs(this.#timeoutMs + extraMs, this.#bite)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
