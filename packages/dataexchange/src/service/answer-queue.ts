import { ByteCollector, utf8 } from '../bytes.ts'
import { encodeFrame } from '../wire/encode.ts'
import { type Frame, FrameType } from '../wire/frame.ts'

/**
 * The answer to one frame: a text, a function that makes the frame when it is written (for its time stamp), or null for
 * no answer.
 */
export type FrameAnswer = string | (() => Frame) | null

/** Options of {@link AnswerSlot}. */
export interface AnswerOptions {
  /** False if another answer to the same frame follows. @default true */
  isLast?: boolean
  /** Called when the answer has left this process, or its write failed. */
  onWritten?: () => void
}

/** Sets the answer of one frame. Called once, or once for each part of the answer. */
export type AnswerSlot = (answer: FrameAnswer, options?: AnswerOptions) => void

/** Writes bytes to the peer. Calls back when they have left this process, or with the error. */
export type AnswerWriter = (bytes: Uint8Array, callback: (error?: Error | null) => void) => void

/**
 * The answers of one connection. Writes them in the order of the frames `[ack.order]`, in whatever order they become
 * ready. One write is in flight at a time. Answers that become ready meanwhile are joined for the next write, so that
 * unread answers cost little more than their bytes.
 */
export class AnswerQueue {
  readonly #write: AnswerWriter
  readonly #onWritten: (frameTypes: number[], error?: Error | null) => void
  readonly #ready = new ByteCollector()
  #readyTypes: number[] = []
  #readyCallbacks: (() => void)[] = []
  #slots: Slot[] = []
  #unread = 0
  #isWriting = false

  /** Calls `onWritten` after every write, with the types of the answered frames. */
  constructor(write: AnswerWriter, onWritten: (frameTypes: number[], error?: Error | null) => void) {
    this.#write = write
    this.#onWritten = onWritten
  }

  /** Size of the answers that have not left this process, in bytes. */
  get unread(): number {
    return this.#unread
  }

  /** Reserves the next place in the order, for a frame of `frameType`. */
  reserve(frameType: number): AnswerSlot {
    const slot: Slot = { frameType, given: [], isComplete: false }
    this.#slots.push(slot)
    return (answer, { isLast = true, onWritten } = {}) => {
      slot.given.push({ answer, onWritten })
      slot.isComplete = isLast
      if (this.#slots[0] === slot) this.#flush()
    }
  }

  /** Writes the collected answers at once, also beside a write in flight. Called when every answer is set. */
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
      this.#unread += bytes.length
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
    this.#write(bytes, error => {
      this.#isWriting = false
      this.#unread -= bytes.length
      this.#onWritten(types, error)
      for (const callback of callbacks) callback()
      this.#writeNext()
    })
  }
}

interface Slot {
  readonly frameType: number
  /** Answers that are set and not collected yet. */
  readonly given: { answer: FrameAnswer; onWritten: (() => void) | undefined }[]
  isComplete: boolean
}

function toFrame(answer: NonNullable<FrameAnswer>): Frame {
  return typeof answer === 'string' ? { type: FrameType.Text, payload: utf8(answer) } : answer()
}
