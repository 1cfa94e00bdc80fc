/**
 * The payload of a large frame while it arrives: the read loop pushes, and a handler iterates. The read loop checks
 * {@link backlog} before it reads on, which bounds the memory used here.
 */
export class ArrivingPayload implements AsyncIterable<Uint8Array> {
  readonly #onTaken: (bytes: number) => void
  readonly #onStarving: () => void
  #pieces: Uint8Array[] = []
  #backlog = 0
  #isClaimed = false
  #state: 'open' | 'ended' | 'failed' | 'discarded' = 'open'
  #endedAtNs = 0n
  #error: unknown
  #wake: (() => void) | undefined

  /**
   * `onTaken` receives the number of bytes that are no longer held. `onStarving` is called when {@link isStarving}
   * becomes true.
   */
  constructor(onTaken: (bytes: number) => void, onStarving: () => void = () => {}) {
    this.#onTaken = onTaken
    this.#onStarving = onStarving
  }

  /** True until a handler begins to iterate. */
  get isUnclaimed(): boolean {
    return this.#state === 'open' && !this.#isClaimed
  }

  /** True while the handler has taken everything and waits for more. */
  get isStarving(): boolean {
    return this.#wake !== undefined
  }

  /** Bytes that the handler has not taken yet. */
  get backlog(): number {
    return this.#backlog
  }

  push(piece: Uint8Array): void {
    if (this.#state !== 'open') {
      this.#onTaken(piece.length)
      return
    }
    this.#pieces.push(piece)
    this.#backlog += piece.length
    this.#notify()
  }

  /** Time at which the payload was complete, in nanoseconds since the Unix epoch; 0 before. */
  get endedAtNs(): bigint {
    return this.#endedAtNs
  }

  /** Marks the payload as complete. */
  end(atNs: bigint): void {
    this.#endedAtNs = atNs
    this.#finish('ended')
  }

  /** Marks the payload as cut off: the iterator throws `error` after the bytes that arrived. */
  fail(error: unknown): void {
    this.#error = error
    this.#finish('failed')
  }

  /** Drops the bytes that are held, and all that still arrive. */
  discard(): void {
    const dropped = this.#backlog
    this.#finish('discarded')
    this.#pieces = []
    this.#backlog = 0
    if (dropped > 0) this.#onTaken(dropped)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    this.#isClaimed = true
    try {
      for (;;) {
        const piece = this.#pieces.shift()
        if (piece !== undefined) {
          this.#backlog -= piece.length
          this.#onTaken(piece.length)
          yield piece
        } else if (this.#state === 'failed') {
          throw this.#error
        } else if (this.#state !== 'open') {
          return
        } else {
          await new Promise<void>(resolve => {
            this.#wake = resolve
            this.#onStarving()
          })
        }
      }
    } finally {
      this.discard()
    }
  }

  #finish(state: 'ended' | 'failed' | 'discarded'): void {
    if (this.#state === 'open' || state === 'discarded') this.#state = state
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
