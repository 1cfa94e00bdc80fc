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

/** Frames of one connection that are being stored; at this number reading pauses. @limit count */
const FRAMES_IN_FLIGHT = 64

/** Largest payload that is handled in memory while memory is scarce (see `bytesHeld`). @limit bytes */
const TIGHT_FRAME = 4 * KiB

/** Options of {@link FrameAssembler}. */
export interface FrameAssemblerOptions {
  /** Starts to handle a frame. Resolves when the frame is handled; never rejects. */
  handle: (frame: IncomingFrame) => Promise<void>
  /** Called when the read loop must pause (true), and when it may go on (false). */
  onFull: (isFull: boolean) => void
  /** Budget of the peer, charged with the bytes held here. */
  budget: ByteBudget
  deadlines: Deadlines
}

/**
 * Assembles frames from the output of the parser. A small frame is collected and handled whole; a large one is
 * handled while it arrives. Bounds the frames that are being handled and the bytes that are held.
 */
export class FrameAssembler implements FrameSink {
  readonly #options: FrameAssemblerOptions
  readonly #small = new ByteCollector()
  readonly #jobs = new Set<Promise<void>>()
  #head: FrameHead = { type: 0, length: 0 }
  /** The payload of the large frame that is arriving. */
  #arriving: ArrivingPayload | undefined
  #bytes = 0
  #payloads = 0
  #isFull = false

  constructor(options: FrameAssemblerOptions) {
    this.#options = options
  }

  /** Number of frames with a payload that are being handled. */
  get payloads(): number {
    return this.#payloads
  }

  start(head: FrameHead): void {
    this.#head = head
    this.#options.deadlines.frameStarted()
  }

  data(piece: Uint8Array): void {
    const { budget, deadlines } = this.#options
    deadlines.arrived(piece.length)
    this.#bytes += piece.length
    const isAvailable = budget.hold(piece.length)
    if (!this.#arriving && this.#goesToDisk(piece.length)) this.#handleWhileItArrives()
    if (this.#arriving) this.#arriving.push(piece)
    else this.#small.append(piece, this.#head.length)
    // A push may have released bytes: a budget that was used up is asked again.
    this.#updateFull(isAvailable || budget.isAvailable)
  }

  /**
   * True for large frames. While memory is tight, it is true for all but tiny ones, including those that have already
   * begun: many frames that are never completed must not use up the budget. The store makes its file only once a few
   * bytes have arrived, so a declared length alone costs nothing.
   */
  #goesToDisk(coming: number): boolean {
    const isLarge = this.#head.length > FIXED_LIMITS.wholeFrame.value
    if (!isLarge && !(this.#head.length > TIGHT_FRAME && this.#options.budget.isTight)) return false
    return this.#small.length + coming >= TIGHT_FRAME
  }

  end(): void {
    this.#options.deadlines.frameEnded()
    if (this.#arriving) {
      this.#arriving.end(wallClockNs())
      this.#arriving = undefined
      this.updateFull()
    } else {
      const receivedAtNs = wallClockNs()
      this.#handle(this.#small.take(), () => receivedAtNs)
    }
  }

  /** Gives up an incomplete frame: no more bytes will arrive. Resolves when all other frames are handled. */
  async close(): Promise<void> {
    this.#arriving?.fail(new WireError('FRAME_TRUNCATED', 'the connection ended inside the frame'))
    this.#release(this.#small.take().length)
    await Promise.all(this.#jobs)
  }

  /** Checks again whether the read loop must pause. To be called when the budget has space again. */
  updateFull(): void {
    this.#updateFull(this.#options.budget.isAvailable)
  }

  #updateFull(isAvailable: boolean): void {
    const isFull =
      // A large frame that waits for a store slot: more of it would only take memory from frames that have one.
      (this.#arriving?.isUnclaimed === true && this.#arriving.backlog > TIGHT_FRAME) ||
      // Frames that wait for a slot may hold all of the budget. A frame that has one and waits for data must finish.
      !(isAvailable || this.#arriving?.isStarving === true) ||
      this.#jobs.size >= FRAMES_IN_FLIGHT ||
      this.#bytes >= FIXED_LIMITS.bytesInFlight.value
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    this.#options.onFull(isFull)
  }

  #handleWhileItArrives(): void {
    const arriving = new ArrivingPayload(
      bytes => this.#release(bytes),
      () => this.updateFull(),
    )
    this.#arriving = arriving
    this.#handle(arriving, () => arriving.endedAtNs)
    const begun = this.#small.take()
    if (begun.length > 0) arriving.push(begun)
  }

  #handle(payload: Payload, receivedAtNs: () => bigint): void {
    const count = this.#head.length > 0 ? 1 : 0
    this.#payloads += count
    const job = this.#options.handle({ ...this.#head, payload, receivedAtNs }).then(() => {
      this.#jobs.delete(job)
      this.#payloads -= count
      // If the handler failed early, discard the rest of a large payload.
      if (payload instanceof ArrivingPayload) payload.discard()
      else if (payload instanceof Uint8Array) this.#release(payload.length)
      this.updateFull()
    })
    this.#jobs.add(job)
    if (this.#jobs.size >= FRAMES_IN_FLIGHT) this.updateFull()
  }

  #release(bytes: number): void {
    this.#bytes -= bytes
    this.#options.budget.release(bytes)
    this.updateFull()
  }
}
