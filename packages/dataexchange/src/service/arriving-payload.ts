/**
 * The payload of a large frame while it arrives: the read loop pushes, a handler iterates. The read loop
 * looks at {@link backlog} before it reads on, so that no more than it wants is held here.
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

  /** `onTaken` is told of the bytes that are held here no longer, `onWanted` when more {@link isStarving}. */
  constructor(onTaken: (bytes: number) => void, onWanted: () => void = () => {}) {
    this.#onTaken = onTaken
    this.#onWanted = onWanted
  }

  /** Whether nobody has begun to take what has come. */
  get isUnclaimed(): boolean {
    return this.#state === 'open' && !this.#begun
  }

  /** Whether the handler has taken all that has come, and waits for more. */
  get isStarving(): boolean {
    return this.#wake !== undefined
  }

  /** Bytes that the handler has not taken. */
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

  /** When the payload was complete, in ns since the Unix epoch; 0 before. */
  get endedAtNs(): bigint {
    return this.#endedAtNs
  }

  /** The payload is complete. */
  end(atNs: bigint): void {
    this.#endedAtNs = atNs
    this.#settle('ended')
  }

  /** The payload will never be complete: whoever iterates gets `error` after what has come. */
  fail(error: unknown): void {
    this.#error = error
    this.#settle('failed')
  }

  /** Nobody wants the rest: what has come is dropped, and so is what still comes. */
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
