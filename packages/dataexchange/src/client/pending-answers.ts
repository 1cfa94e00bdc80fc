import { DeliveryError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import type { Frame } from '../wire/frame.ts'

/** Frames that a client keeps for `recv()`; at this number it stops reading. @limit count */
const UNREAD_FRAMES = 1_024

/** Who waits for a frame. */
export interface FrameWaiter {
  resolve(frame: Frame | null): void
  reject(error: unknown): void
}

/**
 * Hands the frames that a peer sends to those who wait for them. A peer answers every frame in order, so
 * every frame that was written has one answer due: to the delivery that wrote it, or to `recv()`.
 */
export class PendingAnswers {
  /** Who gets the next answers: a delivery, or, null, whoever calls recv(). */
  #due: (FrameWaiter | null)[] = []
  #deliveries = 0
  #receivers: FrameWaiter[] = []
  #unread: Frame[] = []
  #unreadBytes = 0
  #end: { error: unknown } | undefined

  /** True while somebody waits and there is room for frames that nobody waits for. */
  get wantsMore(): boolean {
    const waiting = this.#deliveries > 0 || this.#receivers.length > 0
    const room = this.#unread.length < UNREAD_FRAMES && this.#unreadBytes < FIXED_LIMITS.bytesInFlight.value
    return waiting && room && this.#end === undefined
  }

  /** A frame is about to be written: its answer belongs to `delivery`, or to recv(). */
  expectAnswer(delivery: FrameWaiter | null): void {
    if (this.#end !== undefined) {
      delivery?.reject(closedError(this.#end.error))
      return
    }
    this.#due.push(delivery)
    if (delivery !== null) this.#deliveries++
  }

  /** The next frame is the second part of an answer: it belongs to `delivery`, before all that is due. */
  expectNext(delivery: FrameWaiter): void {
    this.#due.unshift(delivery)
    this.#deliveries++
  }

  /** The next frame that answers no delivery goes to `receiver`, now or later. */
  receive(receiver: FrameWaiter): void {
    const frame = this.#unread.shift()
    if (frame !== undefined) {
      this.#unreadBytes -= frame.payload.length
      receiver.resolve(frame)
    } else if (this.#end !== undefined) {
      tellEnd(receiver, this.#end.error)
    } else {
      this.#receivers.push(receiver)
    }
  }

  /** Forgets a receiver that has given up; the frame it waited for stays for the next. */
  forget(receiver: FrameWaiter): void {
    this.#receivers = this.#receivers.filter(other => other !== receiver)
  }

  /** A frame has come. */
  arrived(frame: Frame): void {
    const delivery = this.#due.shift() ?? null
    if (delivery !== null) this.#deliveries--
    const waiter = delivery ?? this.#receivers.shift()
    if (waiter !== undefined) {
      waiter.resolve(frame)
      return
    }
    this.#unread.push(frame)
    this.#unreadBytes += frame.payload.length
  }

  /** No more frames will come: the peer has closed, or reading failed with `error`. */
  ended(error?: unknown): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    for (const delivery of this.#due) delivery?.reject(closedError(error))
    for (const receiver of this.#receivers) tellEnd(receiver, error)
    this.#due = []
    this.#deliveries = 0
    this.#receivers = []
  }
}

/** The error of a delivery whose connection ended before its answer came. */
export function closedError(cause: unknown): DeliveryError {
  const message = 'the connection ended before the answer came; the message may or may not be stored'
  return new DeliveryError('CONNECTION_CLOSED', message, { cause })
}

function tellEnd(receiver: FrameWaiter, error: unknown): void {
  if (error === undefined) receiver.resolve(null)
  else receiver.reject(error)
}
