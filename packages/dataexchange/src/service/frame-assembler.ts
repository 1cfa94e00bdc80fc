import { ByteCollector, KiB } from '../bytes.ts'
import { wallClockNs } from '../clock.ts'
import { WireError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import type { Payload } from '../mailbox/mailbox.ts'
import type { FrameHead } from '../wire/encode.ts'
import type { FrameSink } from '../wire/frame-parser.ts'
import { ArrivingPayload } from './arriving-payload.ts'
import type { IncomingFrame } from './handlers/handler.ts'
import type { ByteBudget } from './peers/byte-budget.ts'
import type { Deadlines } from './peers/deadlines.ts'

/** Largest payload that is handled in memory while memory is scarce (see `bytesHeld`). @limit bytes */
const TIGHT_FRAME = 4 * KiB

/** What an {@link FrameAssembler} works with. */
export interface FrameAssemblerOptions {
  /** Starts the handling of a frame; resolves when it is over, and never rejects. */
  handle: (frame: IncomingFrame) => Promise<void>
  /** Called whenever less is being handled, or held, than before. */
  onProgress: () => void
  /** Of the peer: what is held here counts into it. */
  budget: ByteBudget
  deadlines: Deadlines
}

/**
 * Makes frames to handle out of what the parser finds. A small frame is collected and handled whole; a
 * large one is handled while it arrives. Counts what is held and handled, for the read loop's bounds.
 */
export class FrameAssembler implements FrameSink {
  readonly #options: FrameAssemblerOptions
  readonly #small = new ByteCollector()
  readonly #jobs = new Set<Promise<void>>()
  #head: FrameHead = { type: 0, length: 0 }
  /** The large frame that is arriving. */
  #body: ArrivingPayload | undefined
  #bytes = 0
  #payloads = 0

  constructor(options: FrameAssemblerOptions) {
    this.#options = options
  }

  /** Frames being handled. */
  get frames(): number {
    return this.#jobs.size
  }

  /** Frames being handled that are not empty. */
  get payloads(): number {
    return this.#payloads
  }

  /** Payload bytes held. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Whether the large frame that is arriving waits for its turn: more of it would be held meanwhile, and take
   * the room of those whose turn it is.
   */
  get isWaiting(): boolean {
    return this.#body?.isUnclaimed === true && this.#body.backlog > TIGHT_FRAME
  }

  /** Whether the large frame that is arriving has its turn, and waits for more: what comes of it is not held. */
  get isWanted(): boolean {
    return this.#body?.isStarving === true
  }

  start(head: FrameHead): void {
    this.#head = head
    this.#options.deadlines.frameStarted()
  }

  data(piece: Uint8Array): void {
    const { budget, deadlines } = this.#options
    deadlines.arrived(piece.length)
    this.#bytes += piece.length
    budget.hold(piece.length)
    if (!this.#body && this.#isForTheDisk(piece.length)) this.#handleWhileItArrives()
    if (this.#body) this.#body.push(piece)
    else this.#small.append(piece, this.#head.length)
  }

  /**
   * Large frames are, and all but tiny ones when memory is tight, also those that were begun before: many
   * that are never completed must not use up the budget. A file is made once a little has come: a length that
   * is declared costs nothing here.
   */
  #isForTheDisk(coming: number): boolean {
    const least = TIGHT_FRAME
    const isLarge = this.#head.length > FIXED_LIMITS.wholeFrame.value
    if (!isLarge && !(this.#head.length > least && this.#options.budget.isTight)) return false
    return this.#small.length + coming >= least
  }

  end(): void {
    this.#options.deadlines.frameEnded()
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
    this.#release(this.#small.take().length)
    await Promise.all(this.#jobs)
  }

  #handleWhileItArrives(): void {
    const body = new ArrivingPayload(bytes => this.#release(bytes), this.#options.onProgress)
    this.#body = body
    this.#handle(body, () => body.endedAtNs)
    const begun = this.#small.take()
    if (begun.length > 0) body.push(begun)
  }

  #handle(payload: Payload, receivedAtNs: () => bigint): void {
    const count = this.#head.length > 0 ? 1 : 0
    this.#payloads += count
    const job = this.#options.handle({ ...this.#head, payload, receivedAtNs }).then(() => {
      this.#jobs.delete(job)
      this.#payloads -= count
      // A handler that failed early has left the rest of a large payload: it is read over.
      if (payload instanceof ArrivingPayload) payload.discard()
      else if (payload instanceof Uint8Array) this.#release(payload.length)
      this.#options.onProgress()
    })
    this.#jobs.add(job)
  }

  #release(bytes: number): void {
    this.#bytes -= bytes
    this.#options.budget.release(bytes)
    this.#options.onProgress()
  }
}
