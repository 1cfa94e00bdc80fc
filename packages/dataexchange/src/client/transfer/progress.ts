/** How far a transfer is. */
export interface TransferProgress {
  /**
   * `hashing` the source, `connecting` (also again, after a lost connection), `sending`, or `finishing`: all is
   * sent, and the receiver checks it.
   */
  phase: 'hashing' | 'connecting' | 'sending' | 'finishing'
  /** Bytes of the file. */
  total: number
  /** Bytes that the receiver has; of a FILE frame those that were written. */
  bytesDone: number
  /** Bytes of the file that were written, those that had to be written again included. */
  bytesSent: number
  /** Bytes that the receiver had of an earlier transfer. */
  resumed: number
  /** Of the last seconds. Zero until something has been sent. */
  bytesPerSecond: number
  /** Milliseconds that the rest will take at that rate; undefined where there is none yet. */
  etaMs: number | undefined
  /** How often it was connected again. */
  reconnects: number
}

/** Keeps the account of a transfer and tells of it: every change to a callback, the latest one to iterators. */
export class ProgressFeed {
  readonly #onProgress: ((progress: TransferProgress) => void) | undefined
  readonly #state: TransferProgress = {
    phase: 'hashing',
    total: 0,
    bytesDone: 0,
    bytesSent: 0,
    resumed: 0,
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

  /** The account as it is now; not to be changed. */
  get state(): Readonly<TransferProgress> {
    return this.#state
  }

  /** Takes a change over, and tells of it. Throws what the callback throws. */
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

  /** No more will come: iterators end. */
  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** What is new since the last value; never more than one waits, so that a slow reader skips some. */
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

/** Bytes a second over the last seconds. */
export class RateMeter {
  readonly #now: () => number
  #samples: { at: number; bytes: number }[] = []

  /** @param now a clock in ms. @default performance.now */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** The rate now that `bytes` are done in all. A count that goes back begins anew. */
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
