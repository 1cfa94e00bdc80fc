import { ByteCollector } from '../bytes.ts'
import { wallClockNs } from '../clock.ts'
import { WireError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Payload } from '../mailbox/mailbox.ts'
import type { FrameHead } from '../wire/encode.ts'
import type { FrameSink } from '../wire/frame-parser.ts'
import { Body } from './body.ts'
import type { IncomingFrame } from './handlers/handler.ts'

/** Starts the handling of a frame; resolves when it is over, and never rejects. */
export type StartHandling = (frame: IncomingFrame) => Promise<void>

/**
 * Makes frames to handle out of what the parser finds. A small frame is collected and handled whole; a
 * large one is handled while it arrives. Counts what is being handled, for the read loop's bounds.
 */
export class Intake implements FrameSink {
  readonly #startHandling: StartHandling
  readonly #onProgress: () => void
  readonly #small = new ByteCollector()
  readonly #jobs = new Set<Promise<void>>()
  #head: FrameHead = { type: 0, length: 0 }
  #body: Body | undefined
  #wholeBytes = 0

  /** `onProgress` is called whenever less is being handled than before. */
  constructor(startHandling: StartHandling, onProgress: () => void) {
    this.#startHandling = startHandling
    this.#onProgress = onProgress
  }

  /** Frames being handled. */
  get frames(): number {
    return this.#jobs.size
  }

  /** Payload bytes held for frames being handled. */
  get bytes(): number {
    return this.#wholeBytes + (this.#body?.backlog ?? 0)
  }

  start(head: FrameHead): void {
    this.#head = head
    if (head.length <= LIMITS.wholeFrame.value) return
    const body = new Body(this.#onProgress)
    this.#body = body
    this.#handle(body, () => body.endedAtNs)
  }

  data(piece: Uint8Array): void {
    if (this.#body) this.#body.push(piece)
    else this.#small.append(piece)
  }

  end(): void {
    if (this.#body) {
      this.#body.end(wallClockNs())
      this.#body = undefined
    } else {
      const receivedAtNs = wallClockNs()
      this.#handle(this.#small.take(), () => receivedAtNs)
    }
  }

  /** No more bytes will come: a frame that is not whole is given up. Resolves when all others have been handled. */
  async close(): Promise<void> {
    this.#body?.fail(new WireError('FRAME_TRUNCATED', 'the connection ended inside the frame'))
    await Promise.all(this.#jobs)
  }

  #handle(payload: Payload, receivedAtNs: () => bigint): void {
    const held = payload instanceof Uint8Array ? payload.length : 0
    this.#wholeBytes += held
    const job = this.#startHandling({ ...this.#head, payload, receivedAtNs }).then(() => {
      // A handler that failed early has left the rest of a large payload: it is read over.
      if (payload instanceof Body) payload.discard()
      this.#wholeBytes -= held
      this.#jobs.delete(job)
      this.#onProgress()
    })
    this.#jobs.add(job)
  }
}
