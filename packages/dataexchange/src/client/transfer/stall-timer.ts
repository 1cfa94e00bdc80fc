import { afterMs } from '../../async/wait.ts'

/** Calls `onStall` if it is not reset in time. */
export class StallTimer {
  readonly #timeoutMs: number
  readonly #onStall: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number, onStall: () => void) {
    this.#timeoutMs = timeoutMs
    this.#onStall = onStall
  }

  /** Restarts the time on progress, once with `extraMs` more. */
  reset(extraMs = 0): void {
    clearTimeout(this.#timer)
    this.#timer = afterMs(this.#timeoutMs + extraMs, this.#onStall)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
