import { ByteCollector, utf8 } from '../bytes.ts'
import { encodeFrame } from '../wire/encode.ts'
import { type Frame, FrameType } from '../wire/frame.ts'

/**
 * An answer: a text, or a frame that is made when it is its turn to be written (for its time stamp); null where
 * a frame gets none.
 */
export type FrameAnswer = string | (() => Frame) | null

/** How {@link AnswerSlot} is called. */
export interface AnswerOptions {
  /** False where another answer to the same frame follows. @default true */
  isLast?: boolean
  /** Called when the answer has left this process, or could not. */
  onWritten?: () => void
}

/** Gives the answer to one frame. */
export type AnswerSlot = (answer: FrameAnswer, options?: AnswerOptions) => void

/** Writes bytes towards the peer; calls back once they have left this process, or with the error. */
export type AnswerWriter = (bytes: Uint8Array, callback: (error?: Error | null) => void) => void

/**
 * The answers of one connection, written in the order of the frames, whatever order they are ready in
 * (section 2). There is one write at a time: what becomes ready meanwhile is collected for the next, so that
 * answers that nobody reads cost little more than their bytes.
 */
export class AnswerQueue {
  readonly #write: AnswerWriter
  readonly #onWritten: (frameTypes: number[], error?: Error | null) => void
  readonly #ready = new ByteCollector()
  #readyTypes: number[] = []
  #readyTold: (() => void)[] = []
  #slots: Slot[] = []
  #unread = 0
  #isWriting = false

  /** `onWritten` is told of every write that ended, with the types of the frames that it answers. */
  constructor(write: AnswerWriter, onWritten: (frameTypes: number[], error?: Error | null) => void) {
    this.#write = write
    this.#onWritten = onWritten
  }

  /** Bytes of answers that have not left this process: the peer does not read them. */
  get unread(): number {
    return this.#unread
  }

  /** Takes the next place in the order, for a frame of `frameType`. The function it returns gives the answer, once, or in parts. */
  reserve(frameType: number): AnswerSlot {
    const slot: Slot = { frameType, given: [], isComplete: false }
    this.#slots.push(slot)
    return (answer, { isLast = true, onWritten } = {}) => {
      slot.given.push({ answer, onWritten })
      slot.isComplete = isLast
      if (this.#slots[0] === slot) this.#flush()
    }
  }

  /** Every answer has been given: what is collected is written at once, before the stream is ended. */
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
    if (onWritten) this.#readyTold.push(onWritten)
    for (const bytes of encodeFrame(toFrame(answer))) {
      this.#ready.append(bytes)
      this.#unread += bytes.length
    }
  }

  #writeNext(): void {
    if (this.#isWriting || this.#readyTypes.length === 0) return
    const types = this.#readyTypes
    const bytes = this.#ready.take()
    const told = this.#readyTold
    this.#readyTypes = []
    this.#readyTold = []
    this.#isWriting = true
    this.#write(bytes, error => {
      this.#isWriting = false
      this.#unread -= bytes.length
      this.#onWritten(types, error)
      for (const tell of told) tell()
      this.#writeNext()
    })
  }
}

interface Slot {
  readonly frameType: number
  /** Answers that are not collected yet. */
  readonly given: { answer: FrameAnswer; onWritten: (() => void) | undefined }[]
  isComplete: boolean
}

function toFrame(answer: NonNullable<FrameAnswer>): Frame {
  return typeof answer === 'string' ? { type: FrameType.Text, payload: utf8(answer) } : answer()
}
