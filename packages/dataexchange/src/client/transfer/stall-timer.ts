import { afterMs } from '../../async/wait.ts'

/** Calls `onStall` once it has not been fed for a while. */
export class StallTimer {
  readonly #timeoutMs: number
  readonly #onStall: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(timeoutMs: number, onStall: () => void) {
    this.#timeoutMs = timeoutMs
    this.#onStall = onStall
  }

  /** There was progress: the time begins again, `extraMs` longer this once. */
  reset(extraMs = 0): void {
    clearTimeout(this.#timer)
    this.#timer = afterMs(this.#timeoutMs + extraMs, this.#onStall)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
