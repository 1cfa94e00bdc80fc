import { ByteCollector, KiB, utf8 } from '../bytes.ts'
import { encodeFrame } from '../wire/encode.ts'
import { type Frame, FrameType } from '../wire/frame.ts'

/** Answers that a peer has not read yet; at this size reading from it pauses. @limit bytes */
const UNREAD_ANSWERS = 256 * KiB

/**
 * The answer to a frame: a text, or a function that makes the frame when it is about to be written (it may hold the
 * time of that). Null for a frame without an answer.
 */
export type FrameAnswer = string | (() => Frame) | null

/** Options of {@link AnswerSlot}. */
export interface AnswerOptions {
  /** False if another answer to the same frame follows. @default true */
  isLast?: boolean
  /** Called when the write of the answer has ended, successfully or not. */
  onWritten?: () => void
}

/** Gives the answer to one frame. */
export type AnswerSlot = (answer: FrameAnswer, options?: AnswerOptions) => void

/** Options of {@link AnswerQueue}. */
export interface AnswerQueueOptions {
  /** Writes bytes to the peer. Calls back once they have left this process, or with the error. */
  write: (bytes: Uint8Array, callback: (error?: Error | null) => void) => void
  /** Called at the end of each write, with the types of the frames that it answers. */
  onWritten: (frameTypes: number[], error?: Error | null) => void
  /** Called when the unread answers reach their limit (true), and when they are below it again (false). */
  onFull: (isFull: boolean) => void
}

/**
 * Writes the answers of one connection in the order of their frames, in whatever order they become ready
 * `[ack.order]`. Only one write is pending at a time: answers that become ready meanwhile are joined for the next
 * write, so that unread answers take little more memory than their bytes.
 */
export class AnswerQueue {
  readonly #options: AnswerQueueOptions
  readonly #ready = new ByteCollector()
  #readyTypes: number[] = []
  #readyCallbacks: (() => void)[] = []
  #slots: Slot[] = []
  #unread = 0
  #isFull = false
  #isWriting = false

  constructor(options: AnswerQueueOptions) {
    this.#options = options
  }

  /** Bytes of answers that have not left this process, because the peer does not read them. */
  get unread(): number {
    return this.#unread
  }

  /**
   * Reserves the next place in the order, for a frame of `frameType`. The returned function gives the answer, whole or
   * in parts.
   */
  reserve(frameType: number): AnswerSlot {
    const slot: Slot = { frameType, given: [], isComplete: false }
    this.#slots.push(slot)
    return (answer, { isLast = true, onWritten } = {}) => {
      slot.given.push({ answer, onWritten })
      slot.isComplete = isLast
      if (this.#slots[0] === slot) this.#flush()
    }
  }

  /** Writes all answers at once, without waiting for a pending write: the stream is about to end. */
  finish(): void {
    this.#isWriting = false
    this.#writeNext()
  }

  #flush(): void {
    let count = 0
    for (const slot of this.#slots) {
      for (const { answer, onWritten } of slot.given.splice(0))
        this.#collect(slot.frameType, answer, onWritten)
      if (!slot.isComplete) break
      count++
    }
    this.#slots.splice(0, count)
    this.#writeNext()
  }

  #collect(frameType: number, answer: FrameAnswer, onWritten: (() => void) | undefined): void {
    if (answer === null) return
    this.#readyTypes.push(frameType)
    if (onWritten) this.#readyCallbacks.push(onWritten)
    for (const bytes of encodeFrame(toFrame(answer))) {
      this.#ready.append(bytes)
      this.#addUnread(bytes.length)
    }
  }

  #writeNext(): void {
    if (this.#isWriting || this.#readyTypes.length === 0) return
    const types = this.#readyTypes
    const bytes = this.#ready.take()
    const callbacks = this.#readyCallbacks
    this.#readyTypes = []
    this.#readyCallbacks = []
    this.#isWriting = true
    this.#options.write(bytes, error => {
      this.#isWriting = false
      this.#addUnread(-bytes.length)
      this.#options.onWritten(types, error)
      for (const callback of callbacks) callback()
      this.#writeNext()
    })
  }

  #addUnread(bytes: number): void {
    this.#unread += bytes
    const isFull = this.#unread >= UNREAD_ANSWERS
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    this.#options.onFull(isFull)
  }
}

interface Slot {
  readonly frameType: number
  /** Answers that are not yet encoded. */
  readonly given: { answer: FrameAnswer; onWritten: (() => void) | undefined }[]
  isComplete: boolean
}

function toFrame(answer: NonNullable<FrameAnswer>): Frame {
  return typeof answer === 'string' ? { type: FrameType.Text, payload: utf8(answer) } : answer()
}
