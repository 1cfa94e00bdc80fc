import { KiB } from '../../bytes.ts'

/** Rate in bytes a second at which a frame must arrive after `frameTimeout`. @limit bytes */
export const FRAME_MIN_RATE: number = 4 * KiB

/** Options of {@link Deadlines}. */
export interface DeadlineOptions {
  /** Time in ms without a byte of payload. Infinity: off. */
  idleTimeoutMs: number
  /** Time in ms for one frame, plus the time that its received bytes take at `FRAME_MIN_RATE`. Infinity: off. */
  frameTimeoutMs: number
  /** True while a payload of the peer is being handled: then the peer is not idle. */
  isBusy: () => boolean
  /** Called when a deadline passes, with the reason. */
  onExpired: (why: string) => void
}

/**
 * Deadlines of one connection: the idle time, and the time for one frame. Only payload bytes extend them; empty frames and
 * declared lengths do not. Time in which this side pauses reading does not count.
 */
export class Deadlines {
  readonly #options: DeadlineOptions
  readonly #timer: NodeJS.Timeout | undefined
  #aliveAt = performance.now()
  /** Deadline of the arriving frame; undefined between frames. */
  #frameDue: number | undefined
  #pausedAt: number | undefined

  constructor({ idleTimeoutMs, frameTimeoutMs, isBusy, onExpired }: DeadlineOptions) {
    // Copies the fields, so that each connection does not keep the larger object of the caller.
    this.#options = { idleTimeoutMs, frameTimeoutMs, isBusy, onExpired }
    const shortest = Math.min(idleTimeoutMs, frameTimeoutMs)
    // One timer checks a few times in each period, instead of one for each byte or frame.
    if (shortest !== Number.POSITIVE_INFINITY) {
      this.#timer = setInterval(() => this.#check(), Math.min(shortest / CHECKS, LONGEST_TIMER))
    }
  }

  /** Starts the deadline of a frame. */
  frameStarted(): void {
    this.#frameDue = performance.now() + this.#options.frameTimeoutMs
  }

  /** Extends the deadlines by `bytes` received bytes. */
  arrived(bytes: number): void {
    this.#aliveAt = performance.now()
    if (this.#frameDue !== undefined) this.#frameDue += (bytes / FRAME_MIN_RATE) * 1000
  }

  /** Ends the deadline of a frame. */
  frameEnded(): void {
    this.#frameDue = undefined
  }

  /** Stops the clock: this side pauses reading. */
  pause(): void {
    this.#pausedAt ??= performance.now()
  }

  /** Restarts the clock. */
  resume(): void {
    if (this.#pausedAt === undefined) return
    const pause = performance.now() - this.#pausedAt
    this.#pausedAt = undefined
    this.#aliveAt += pause
    if (this.#frameDue !== undefined) this.#frameDue += pause
  }

  /** Ends all deadlines. */
  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    if (this.#pausedAt !== undefined) return
    const now = performance.now()
    const due = this.#frameDue
    if (due !== undefined && now > due) this.#options.onExpired('a frame takes too long')
    else if (due === undefined && this.#options.isBusy()) this.#aliveAt = now
    else if (now - this.#aliveAt > this.#options.idleTimeoutMs) this.#options.onExpired('idle for too long')
  }
}

const CHECKS = 8
const LONGEST_TIMER = 60_000
