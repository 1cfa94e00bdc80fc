import { constants } from 'node:os'

/**
 * SIGINT and SIGTERM as a request to stop. A second one, while the stop takes its time, ends the process at
 * once, with 128 and the signal's number as its exit code.
 */
export class StopSignals {
  readonly #controller = new AbortController()
  readonly #resolve: () => void
  #firstAt: number | undefined
  #exitCode = 0
  /** Resolves at the first signal. */
  readonly stopped: Promise<void>

  constructor() {
    let resolve = () => {}
    this.stopped = new Promise<void>(done => {
      resolve = done
    })
    this.#resolve = resolve
    for (const name of NAMES) process.on(name, this.#onSignal)
  }

  /** Fires at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What a process ends with that stops for the first signal: 128 and its number. Zero before. */
  get exitCode(): number {
    return this.#exitCode
  }

  /** Leaves the signals to the system again. */
  forget(): void {
    for (const name of NAMES) process.off(name, this.#onSignal)
  }

  readonly #onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    const now = performance.now()
    this.#firstAt ??= now
    this.#exitCode ||= 128 + constants.signals[name]
    // npm hands a Ctrl-C on that the terminal has sent to this process already: two signals, one key.
    if (this.#controller.signal.aborted && now - this.#firstAt > ONE_KEY_MS) {
      process.exit(128 + constants.signals[name])
    }
    this.#controller.abort(new Error(`stopped by ${name}`))
    this.#resolve()
  }
}

const NAMES = ['SIGINT', 'SIGTERM'] as const
const ONE_KEY_MS = 250
