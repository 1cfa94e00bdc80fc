import { LIMITS } from '../limits.ts'

/** Options of {@link Deadlines}. */
export interface DeadlineOptions {
  /** Milliseconds without a byte of payload; Infinity: never. */
  idleTimeout: number
  /** Milliseconds for one frame, and the time that its length takes at `LIMITS.frameMinRate`; Infinity: never. */
  frameTimeout: number
  /** True while something of the peer is being handled: it is not idle then. */
  isBusy: () => boolean
  onExpired: (why: string) => void
}

/**
 * The times that a peer must keep: it may not be idle for too long, nor take for ever over one frame. Empty
 * frames are no sign of life. The time in which this side does not read does not count.
 */
export class Deadlines {
  readonly #options: DeadlineOptions
  readonly #timer: NodeJS.Timeout | undefined
  #aliveAt = performance.now()
  /** When the frame that is arriving must be complete. */
  #frameDue = Number.POSITIVE_INFINITY

  constructor(options: DeadlineOptions) {
    this.#options = options
    const shortest = Math.min(options.idleTimeout, options.frameTimeout)
    // Looked at a few times in each period: one timer, and no work for a byte or a frame.
    if (shortest !== Number.POSITIVE_INFINITY) {
      this.#timer = setInterval(() => this.#check(), Math.min(shortest / CHECKS, LONGEST_TIMER))
    }
  }

  /** Payload has come. */
  alive(): void {
    this.#aliveAt = performance.now()
  }

  /** A frame with a payload of `length` bytes begins. */
  frameStarted(length: number): void {
    this.#frameDue =
      performance.now() + this.#options.frameTimeout + (length / LIMITS.frameMinRate.value) * 1000
  }

  frameEnded(): void {
    this.#frameDue = Number.POSITIVE_INFINITY
  }

  /** This side did not read for `ms`. */
  paused(ms: number): void {
    this.#aliveAt += ms
    this.#frameDue += ms
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    const now = performance.now()
    if (now > this.#frameDue) this.#options.onExpired('it takes too long over a frame')
    else if (this.#options.isBusy()) this.#aliveAt = now
    else if (now - this.#aliveAt > this.#options.idleTimeout)
      this.#options.onExpired('it has been idle for too long')
  }
}

const CHECKS = 8
const LONGEST_TIMER = 60_000
