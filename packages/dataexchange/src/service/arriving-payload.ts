/**
 * The payload of a large frame while it arrives: the read loop pushes pieces, a handler iterates over them. The read loop
 * checks {@link backlog} before it reads more, which bounds the bytes held here.
 */
export class ArrivingPayload implements AsyncIterable<Uint8Array> {
  readonly #onTaken: (bytes: number) => void
  readonly #onWanted: () => void
  #pieces: Uint8Array[] = []
  #backlog = 0
  #begun = false
  #state: 'open' | 'ended' | 'failed' | 'discarded' = 'open'
  #endedAtNs = 0n
  #error: unknown
  #wake: (() => void) | undefined

  /** Calls `onTaken` with the number of bytes that are held no longer, `onWanted` when the handler waits for more. */
  constructor(onTaken: (bytes: number) => void, onWanted: () => void = () => {}) {
    this.#onTaken = onTaken
    this.#onWanted = onWanted
  }

  /** True until the handler starts to iterate. */
  get isUnclaimed(): boolean {
    return this.#state === 'open' && !this.#begun
  }

  /** True while the handler waits for more bytes. */
  get isStarving(): boolean {
    return this.#wake !== undefined
  }

  /** Number of bytes that the handler has not taken. */
  get backlog(): number {
    return this.#backlog
  }

  /** Appends the next bytes. */
  push(piece: Uint8Array): void {
    if (this.#state !== 'open') {
      this.#onTaken(piece.length)
      return
    }
    this.#pieces.push(piece)
    this.#backlog += piece.length
    this.#notify()
  }

  /** Time at which the payload was complete, in ns since the Unix epoch; 0 before that. */
  get endedAtNs(): bigint {
    return this.#endedAtNs
  }

  /** Marks the payload as complete. */
  end(atNs: bigint): void {
    this.#endedAtNs = atNs
    this.#settle('ended')
  }

  /** Marks the payload as cut off: the iteration throws `error` after the bytes that arrived. */
  fail(error: unknown): void {
    this.#error = error
    this.#settle('failed')
  }

  /** Drops the held bytes, and all bytes that still arrive. */
  discard(): void {
    const dropped = this.#backlog
    this.#settle('discarded')
    this.#pieces = []
    this.#backlog = 0
    if (dropped > 0) this.#onTaken(dropped)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    this.#begun = true
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
            this.#onWanted()
          })
        }
      }
    } finally {
      this.discard()
    }
  }

  #settle(state: 'ended' | 'failed' | 'discarded'): void {
    if (this.#state === 'open' || state === 'discarded') this.#state = state
    this.#notify()
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
