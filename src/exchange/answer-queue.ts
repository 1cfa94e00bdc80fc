import { ByteCollector, utf8 } from '../bytes.ts'
import { encodeFrame } from '../wire/encode.ts'
import { type Frame, FrameType } from '../wire/frame.ts'

/** An answer: a text, or a frame that is made when it is its turn to be written (for its time stamp). */
export type Answer = string | (() => Frame)

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

  /** Takes the next place in the order, for a frame of `frameType`. The function it returns gives the answer, once. */
  reserve(frameType: number): (answer: Answer) => void {
    const slot: Slot = { frameType, answer: undefined }
    this.#slots.push(slot)
    return answer => {
      slot.answer = answer
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
    while (this.#slots[count]?.answer !== undefined) count++
    for (const { frameType, answer } of this.#slots.splice(0, count)) {
      this.#readyTypes.push(frameType)
      for (const bytes of encodeFrame(toFrame(answer ?? ''))) {
        this.#ready.append(bytes)
        this.#unread += bytes.length
      }
    }
    this.#writeNext()
  }

  #writeNext(): void {
    if (this.#isWriting || this.#readyTypes.length === 0) return
    const types = this.#readyTypes
    const bytes = this.#ready.take()
    this.#readyTypes = []
    this.#isWriting = true
    this.#write(bytes, error => {
      this.#isWriting = false
      this.#unread -= bytes.length
      this.#onWritten(types, error)
      this.#writeNext()
    })
  }
}

interface Slot {
  readonly frameType: number
  answer: Answer | undefined
}

function toFrame(answer: Answer): Frame {
  return typeof answer === 'string' ? { type: FrameType.Text, payload: utf8(answer) } : answer()
}
