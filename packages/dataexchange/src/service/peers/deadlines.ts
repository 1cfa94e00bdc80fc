import { KiB } from '../../bytes.ts'

/** Bytes a second at which a frame must arrive once `frameTimeout` is over. @limit bytes */
export const FRAME_MIN_RATE: number = 4 * KiB

/** Options of {@link Deadlines}. */
export interface DeadlineOptions {
  /** Milliseconds without a byte of payload; Infinity: never. */
  idleTimeout: number
  /** Milliseconds for one frame, and the time that what has come of it takes at `FRAME_MIN_RATE`; Infinity: never. */
  frameTimeout: number
  /** True while a payload of the peer is being handled: between its frames the peer is not idle then. */
  isBusy: () => boolean
  onExpired: (why: string) => void
}

/**
 * The times that a peer must keep: it may not be idle for too long, nor take for ever over one frame. Empty
 * frames are no sign of life, and a length that is declared gives no time: only bytes do. The time in which
 * this side does not read does not count.
 */
export class Deadlines {
  readonly #options: DeadlineOptions
  readonly #timer: NodeJS.Timeout | undefined
  #aliveAt = performance.now()
  /** When the frame that is arriving must be complete; undefined between frames. */
  #frameDue: number | undefined
  #pausedAt: number | undefined

  constructor({ idleTimeout, frameTimeout, isBusy, onExpired }: DeadlineOptions) {
    // Not the caller's object, which has much more: each connection keeps this one.
    this.#options = { idleTimeout, frameTimeout, isBusy, onExpired }
    const shortest = Math.min(idleTimeout, frameTimeout)
    // Looked at a few times in each period: one timer, and no work for a byte or a frame.
    if (shortest !== Number.POSITIVE_INFINITY) {
      this.#timer = setInterval(() => this.#check(), Math.min(shortest / CHECKS, LONGEST_TIMER))
    }
  }

  /** A frame begins. */
  frameStarted(): void {
    this.#frameDue = performance.now() + this.#options.frameTimeout
  }

  /** So many bytes of the frame's payload have come. */
  arrived(bytes: number): void {
    this.#aliveAt = performance.now()
    if (this.#frameDue !== undefined) this.#frameDue += (bytes / FRAME_MIN_RATE) * 1000
  }

  frameEnded(): void {
    this.#frameDue = undefined
  }

  /** This side stops reading. */
  pause(): void {
    this.#pausedAt ??= performance.now()
  }

  /** This side reads again. */
  resume(): void {
    if (this.#pausedAt === undefined) return
    const pause = performance.now() - this.#pausedAt
    this.#pausedAt = undefined
    this.#aliveAt += pause
    if (this.#frameDue !== undefined) this.#frameDue += pause
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    if (this.#pausedAt !== undefined) return
    const now = performance.now()
    const due = this.#frameDue
    if (due !== undefined && now > due) this.#options.onExpired('it takes too long over a frame')
    else if (due === undefined && this.#options.isBusy()) this.#aliveAt = now
    else if (now - this.#aliveAt > this.#options.idleTimeout)
      this.#options.onExpired('it has been idle for too long')
  }
}

const CHECKS = 8
const LONGEST_TIMER = 60_000
