import { DeliveryError, DriverError, PilotError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import type { Frame } from '../wire/frame.ts'
import type { Outgoing } from './outgoing.ts'

/** Frames that a client keeps for `recv()`; at this number it stops reading. @limit count */
const UNREAD_FRAMES = 1_024

/** The promise of a frame. */
export interface FrameWaiter {
  resolve(frame: Frame | null): void
  reject(error: unknown): void
}

/** A written frame and its answer. */
export interface WrittenFrame {
  readonly outgoing: Outgoing
  readonly answer: Promise<Frame>
  /** Settles only if the answer says that a reply follows. */
  readonly reply: Promise<Frame>
  readonly isTagged: boolean
}

/**
 * Matches the frames of a peer to the deliveries they answer. A peer answers every frame in order `[ack.order]`. So each
 * written frame has one answer due: to its delivery or, if it was only sent, to `recv()`.
 */
export class PendingAnswers {
  /** Owners of the next answers in order: a delivery, or null for recv(). */
  #due: (FrameWaiter | null)[] = []
  #deliveries = 0
  #receivers: FrameWaiter[] = []
  #unread: Frame[] = []
  #unreadBytes = 0
  #end: { error: unknown } | undefined

  /** True while somebody waits for a frame and the buffer of unclaimed frames is not full. */
  get wantsMore(): boolean {
    const waiting = this.#deliveries > 0 || this.#receivers.length > 0
    const room = this.#unread.length < UNREAD_FRAMES && this.#unreadBytes < FIXED_LIMITS.bytesInFlight.value
    return waiting && room && this.#end === undefined
  }

  /** Call before a frame is written: its answer goes to `delivery`, or to recv() if null. */
  expectAnswer(delivery: FrameWaiter | null): void {
    if (this.#end !== undefined) {
      delivery?.reject(closedError(this.#end.error))
      return
    }
    this.#due.push(delivery)
    if (delivery !== null) this.#deliveries++
  }

  /** The next frame, a reply, goes to `delivery`, before all answers that are due. */
  expectNext(delivery: FrameWaiter): void {
    this.#due.unshift(delivery)
    this.#deliveries++
  }

  /** The next frame that does not answer a delivery goes to `receiver`. */
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

  /** Removes a receiver that no longer waits. Its frame goes to the next one. */
  forget(receiver: FrameWaiter): void {
    this.#receivers = this.#receivers.filter(other => other !== receiver)
  }

  /** Hands on an arrived frame. */
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

  /** Rejects all that wait: the peer has closed, or reading failed with `error`. */
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

/** The error of a delivery whose connection ended before its answer. */
export function closedError(cause: unknown): DeliveryError {
  const message = 'the connection ended before the answer came; the message may or may not be stored'
  return new DeliveryError('CONNECTION_CLOSED', message, { cause })
}

function tellEnd(receiver: FrameWaiter, error: unknown): void {
  if (error === undefined) receiver.resolve(null)
  else receiver.reject(error)
}

/** Maps the errors of any transport to one code, so that callers need not know the transport. */
export function asDeliveryError(error: unknown): unknown {
  if (!(error instanceof PilotError)) return closedError(error)
  if (error.code === 'TIMED_OUT') {
    const message = 'the peer did not answer in time; the message may or may not be stored'
    return new DeliveryError('ANSWER_TIMED_OUT', message, { cause: error })
  }
  return error instanceof DriverError && error.code !== 'ABORTED' ? closedError(error) : error
}
