/** Progress of a transfer. */
export interface TransferProgress {
  /**
   * `hashing` the source, `connecting` (also after a lost connection), `sending`, or `finishing`: all bytes are sent, and
   * the receiver checks them.
   */
  phase: 'hashing' | 'connecting' | 'sending' | 'finishing'
  /** Bytes of the file. */
  total: number
  /** Bytes that the receiver has; for a FILE frame, written bytes. */
  bytesDone: number
  /** Written bytes of the file, including repeated ones. */
  bytesSent: number
  /** Bytes that the receiver had from an earlier transfer. */
  bytesResumed: number
  /** Average of the last 3 seconds. Zero at first. */
  bytesPerSecond: number
  /** Milliseconds for the remaining bytes at that rate; undefined at rate zero. */
  etaMs: number | undefined
  /** Number of reconnects. */
  reconnects: number
}

/** Holds the progress of a transfer. Passes each change to a callback and the latest state to iterators. */
export class ProgressFeed {
  readonly #onProgress: ((progress: TransferProgress) => void) | undefined
  readonly #state: TransferProgress = {
    phase: 'hashing',
    total: 0,
    bytesDone: 0,
    bytesSent: 0,
    bytesResumed: 0,
    bytesPerSecond: 0,
    etaMs: undefined,
    reconnects: 0,
  }
  readonly #rate = new RateMeter()
  #changes = 0
  #ended = false
  #waiting: (() => void)[] = []

  constructor(onProgress?: (progress: TransferProgress) => void) {
    this.#onProgress = onProgress
  }

  /** The current state. Do not change it. */
  get state(): Readonly<TransferProgress> {
    return this.#state
  }

  /** Applies a change and passes it on. Throws what the callback throws. */
  update(change: Partial<Omit<TransferProgress, 'bytesPerSecond' | 'etaMs'>>): void {
    const state = this.#state
    Object.assign(state, change)
    if (state.phase === 'sending' || state.phase === 'finishing') {
      state.bytesPerSecond = this.#rate.at(state.bytesDone)
      const left = state.total - state.bytesDone
      state.etaMs = state.bytesPerSecond > 0 ? Math.round((left / state.bytesPerSecond) * 1000) : undefined
    }
    this.#changes++
    this.#onProgress?.({ ...state })
    this.#wake()
  }

  /** Ends the iterators. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** The state after each change. A slow reader skips states. */
  async *latest(): AsyncGenerator<TransferProgress, void, undefined> {
    for (let seen = 0; ; ) {
      if (this.#changes > seen) {
        seen = this.#changes
        yield { ...this.#state }
      } else if (this.#ended) return
      else await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    for (const resume of this.#waiting.splice(0)) resume()
  }
}

/** Bytes per second over the last 3 seconds. */
export class RateMeter {
  readonly #now: () => number
  #samples: { at: number; bytes: number }[] = []

  /** @param now a clock in ms. @default performance.now */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Adds the total number of bytes done and returns the rate. A smaller total restarts the measurement. */
  at(bytes: number): number {
    const at = this.#now()
    const last = this.#samples.at(-1)
    if (last === undefined || bytes < last.bytes) this.#samples = [{ at, bytes }]
    else if (at - last.at >= SAMPLE_MS) this.#samples.push({ at, bytes })
    while (this.#samples[1] !== undefined && this.#samples[1].at <= at - WINDOW_MS) this.#samples.shift()
    const first = this.#samples[0] ?? { at, bytes }
    return at > first.at ? ((bytes - first.bytes) / (at - first.at)) * 1000 : 0
  }
}

const WINDOW_MS = 3_000
const SAMPLE_MS = 100
