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

/** Largest payload that is kept in memory while the memory budget is tight (see `bytesHeld`). @limit bytes */
const TIGHT_FRAME = 4 * KiB

/** Options of {@link FrameAssembler}. */
export interface FrameAssemblerOptions {
  /** Handles a frame. Resolves when it is handled; never rejects. */
  handle: (frame: IncomingFrame) => Promise<void>
  /** Called when a frame has been handled, or bytes have been released. */
  onProgress: () => void
  /** The memory budget of the peer. Held bytes count into it. */
  budget: ByteBudget
  deadlines: Deadlines
}

/**
 * Assembles frames from the parser's output. A small frame is collected and handled whole. A large frame is handled while
 * it arrives. Counts held bytes and frames in flight for the read loop.
 */
export class FrameAssembler implements FrameSink {
  readonly #options: FrameAssemblerOptions
  readonly #small = new ByteCollector()
  readonly #jobs = new Set<Promise<void>>()
  #head: FrameHead = { type: 0, length: 0 }
  /** The large frame that is arriving, if there is one. */
  #arriving: ArrivingPayload | undefined
  #bytes = 0
  #payloads = 0

  constructor(options: FrameAssemblerOptions) {
    this.#options = options
  }

  /** Number of frames being handled. */
  get frames(): number {
    return this.#jobs.size
  }

  /** Number of nonempty frames being handled. */
  get payloads(): number {
    return this.#payloads
  }

  /** Number of payload bytes in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * True while the arriving large frame waits for a store slot. Reading more of it would use memory that the frames
   * with a slot need.
   */
  get isQueued(): boolean {
    return this.#arriving?.isUnclaimed === true && this.#arriving.backlog > TIGHT_FRAME
  }

  /** True while the handler of the arriving large frame waits for more bytes: they are not held in memory. */
  get isStarving(): boolean {
    return this.#arriving?.isStarving === true
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
    if (!this.#arriving && this.#goesToDisk(piece.length)) this.#handleWhileItArrives()
    if (this.#arriving) this.#arriving.push(piece)
    else this.#small.append(piece, this.#head.length)
  }

  /**
   * Large frames go to the disk while they arrive. While the budget is tight, so do all but tiny frames, also those
   * that began earlier: otherwise many incomplete frames could use up the budget. The temporary file is created after
   * the first bytes, so a declared length costs nothing.
   */
  #goesToDisk(coming: number): boolean {
    const least = TIGHT_FRAME
    const isLarge = this.#head.length > FIXED_LIMITS.wholeFrame.value
    if (!isLarge && !(this.#head.length > least && this.#options.budget.isTight)) return false
    return this.#small.length + coming >= least
  }

  end(): void {
    this.#options.deadlines.frameEnded()
    if (this.#arriving) {
      this.#arriving.end(wallClockNs())
      this.#arriving = undefined
    } else {
      const receivedAtNs = wallClockNs()
      this.#handle(this.#small.take(), () => receivedAtNs)
    }
  }

  /** Ends the input: an incomplete frame fails. Resolves when all other frames have been handled. */
  async close(): Promise<void> {
    this.#arriving?.fail(new WireError('FRAME_TRUNCATED', 'the connection ended inside the frame'))
    this.#release(this.#small.take().length)
    await Promise.all(this.#jobs)
  }

  #handleWhileItArrives(): void {
    const payload = new ArrivingPayload(bytes => this.#release(bytes), this.#options.onProgress)
    this.#arriving = payload
    this.#handle(payload, () => payload.endedAtNs)
    const start = this.#small.take()
    if (start.length > 0) payload.push(start)
  }

  #handle(payload: Payload, receivedAtNs: () => bigint): void {
    const count = this.#head.length > 0 ? 1 : 0
    this.#payloads += count
    const job = this.#options.handle({ ...this.#head, payload, receivedAtNs }).then(() => {
      this.#jobs.delete(job)
      this.#payloads -= count
      // If the handler failed early, discard the rest of the payload.
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
