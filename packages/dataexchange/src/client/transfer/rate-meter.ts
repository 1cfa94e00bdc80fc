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
