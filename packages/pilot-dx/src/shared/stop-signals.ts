import { constants } from 'node:os'

/**
 * Turns SIGINT and SIGTERM into a request to stop. A second signal during the stop ends the process at once, with 128 plus
 * the signal's number as exit code.
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

  /** Aborted at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Exit code of a process that stops for the first signal: 128 plus its number. Zero before a signal. */
  get exitCode(): number {
    return this.#exitCode
  }

  /** Restores the system's handling of the signals. */
  forget(): void {
    for (const name of NAMES) process.off(name, this.#onSignal)
  }

  readonly #onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    const now = performance.now()
    this.#firstAt ??= now
    this.#exitCode ||= 128 + constants.signals[name]
    // npm forwards a Ctrl-C that the terminal also sends to this process: one key, two signals.
    if (this.#controller.signal.aborted && now - this.#firstAt > ONE_KEY_MS) {
      process.exit(128 + constants.signals[name])
    }
    this.#controller.abort(new Error(`stopped by ${name}`))
    this.#resolve()
  }
}

const NAMES = ['SIGINT', 'SIGTERM'] as const
const ONE_KEY_MS = 250
