import { Gate } from '../async/condition.ts'
import { KiB } from '../bytes.ts'
import { PilotError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import type { Logger } from '../logger.ts'
import type { Mailbox } from '../mailbox/mailbox.ts'
import { formatSocketAddress } from '../pilot/address.ts'
import { endStream } from '../pilot/end-stream.ts'
import type { Stream } from '../pilot/transport.ts'
import type { EventBus } from '../plugin/events.ts'
import type { TrustChecker } from '../plugin/service.ts'
import { typeName } from '../wire/frame.ts'
import { FrameParser } from '../wire/frame-parser.ts'
import { ChunkReader } from '../wire/read-chunk.ts'
import { AnswerQueue } from './answer-queue.ts'
import { FileStreamReceiver } from './file-stream/receiver.ts'
import { FrameAssembler } from './frame-assembler.ts'
import type { HandlerContext, IncomingFrame } from './handlers/handler.ts'
import { handleFrame } from './handlers/index.ts'
import type { Admission } from './peers/admission.ts'
import { Deadlines } from './peers/deadlines.ts'
import type { Peer } from './peers/peers.ts'
import type { RefusalLog } from './peers/refusal-log.ts'
import { OpenRequests } from './requests/open-requests.ts'
import type { RequestAnswerer } from './requests/request-answerer.ts'

/** Frames of one connection in flight; at this number reading pauses. @limit count */
const FRAMES_IN_FLIGHT = 64

/** Size of the answers that a peer has not read; at this size reading pauses. @limit bytes */
const UNREAD_ANSWERS = 256 * KiB

/** Time after which a peer that reads none of its answers is disconnected. @limit ms */
const UNREAD_ANSWERS_TIMEOUT_MS = 30_000

/**
 * Time for a peer to read its last answers before this side closes: a daemon may drop them at a close.
 * @limit ms
 */
export const CLOSE_LINGER_MS = 500

/** Options that the connections of a service share. */
export interface ConnectionOptions {
  mailbox: Mailbox
  events: EventBus
  logger: Logger
  refusals: RefusalLog
  admission: Admission
  trust?: TrustChecker | undefined
  answerer: RequestAnswerer | undefined
  /** Largest payload of a frame, in bytes. */
  maxFrameSize: number
  /** Time in ms without a byte of payload, not counted while a payload of the peer is being handled. Infinity: off. */
  idleTimeout: number
  /** Time in ms for one frame, see `LIMITS.frameTimeout`. Infinity: off. */
  frameTimeout: number
}

/** Number of bytes parsed at a time, outside of large payloads: a chunk of tiny frames cannot exceed the bounds by much. */
const SLICE = 1024

/**
 * One connection of a peer. Reads frames, handles several at once, and answers them in order `[ack.order]`. Frames in
 * flight, bytes in memory and unread answers are bounded. At a bound the connection stops reading, and the transport's
 * backpressure reaches the peer.
 */
export class Connection {
  readonly #stream: Stream
  readonly #peer: Peer
  readonly #context: HandlerContext
  readonly #answers: AnswerQueue
  /** When the time of an open request is over `[autoanswer.bound]`, the connection drains. */
  readonly #requests = new OpenRequests(() => void this.drain(0))
  readonly #transfers: FileStreamReceiver
  readonly #assembler: FrameAssembler
  readonly #parser: FrameParser
  readonly #deadlines: Deadlines
  readonly #gate = new Gate()
  readonly #reader: ChunkReader
  #draining = false
  #dropped = false
  #running: Promise<void> | undefined

  constructor(stream: Stream, peer: Peer, options: ConnectionOptions) {
    this.#stream = stream
    this.#peer = peer
    this.#context = {
      ...options,
      address: stream.remoteAddress.address,
      from: stream.remoteAddress.address.toString(),
      rates: peer.rates,
      transfers: { handle: frame => this.#transfers.handle(frame) },
      refusals: {
        hookFailed: (hook, fields) => options.refusals.hookFailed(hook, fields),
        note: (what, fields) => {
          peer.refusalLimiter.spend()
          options.refusals.note(what, fields)
        },
      },
    }
    const notify = () => this.#gate.notify()
    this.#transfers = new FileStreamReceiver(this.#context, peer.budget, notify)
    this.#answers = new AnswerQueue(
      (bytes, callback) => stream.write(bytes, error => callback(error ?? writeError(stream))),
      (types, error) => this.#onAnswered(types, error),
    )
    this.#deadlines = new Deadlines({
      ...options,
      isBusy: () => this.#assembler.payloads > 0 || this.#requests.isBusy,
      onExpired: why => this.#drop(why),
    })
    this.#assembler = new FrameAssembler({
      handle: frame => this.#handle(frame),
      onProgress: notify,
      budget: peer.budget,
      deadlines: this.#deadlines,
    })
    this.#parser = new FrameParser(this.#assembler, options)
    this.#reader = new ChunkReader(stream)
    stream.on('close', () => {
      notify()
      this.#requests.abort()
    })
    // The read loop gets the errors of the stream. Without a listener, an error between two reads would end the process.
    stream.on('error', notify)
  }

  /** Serves the peer until it closes, violates the protocol, or {@link drain} is called. Never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#serve()
    return this.#running
  }

  /**
   * Stops reading, answers the complete frames, drops an incomplete one, and closes. Replies of open requests have
   * `replyMs` milliseconds. Resolves when the connection is closed.
   */
  async drain(replyMs: number = FIXED_LIMITS.stopTimeout.value / 2): Promise<void> {
    this.#draining = true
    this.#transfers.stop()
    this.#reader.stop()
    this.#gate.notify()
    const timer = setTimeout(() => this.#requests.abort(), replyMs)
    await this.#running
    clearTimeout(timer)
  }

  /** Closes the connection at once. Each frame in flight is stored whole or not at all. */
  destroy(): void {
    this.#stream.destroy()
  }

  async #serve(): Promise<void> {
    const forget = this.#peer.budget.onAvailable(() => this.#gate.notify())
    try {
      await this.#readFrames()
      if (!this.#draining && !this.#stream.destroyed) this.#parser.finish()
    } catch (error) {
      this.#report(error)
    }
    this.#reader.close()
    forget()
    this.#deadlines.stop()
    // A peer that has left does not wait for replies.
    if (!this.#draining) this.#requests.abort()
    this.#transfers.stop()
    await this.#assembler.close()
    await this.#transfers.close()
    await this.#close()
    this.#requests.close()
  }

  async #readFrames(): Promise<void> {
    while (!this.#draining && !this.#dropped) {
      const chunk = await this.#reader.next()
      if (chunk === null) return
      for (let at = 0; at < chunk.length && !this.#dropped; ) {
        const size = Math.max(SLICE, this.#parser.wanted)
        const piece = chunk.subarray(at, at + size)
        await this.#peer.scheduler.run(this.#peer, () => this.#parser.push(piece))
        at += size
        if (!this.#hasCapacity) await this.#waitForCapacity()
        if (this.#peer.refusalLimiter.pause > 0) await this.#waitForRefusalLimiter()
      }
    }
  }

  get #hasCapacity(): boolean {
    return (
      this.#draining ||
      this.#stream.destroyed ||
      // Frames that wait for a slot may use the whole budget. A frame with a slot must still be able to finish.
      ((this.#peer.budget.isAvailable || this.#assembler.isStarving) &&
        this.#assembler.frames < FRAMES_IN_FLIGHT &&
        this.#assembler.bytes < FIXED_LIMITS.bytesInFlight.value &&
        !this.#assembler.isQueued &&
        !this.#transfers.isPacing &&
        this.#answers.unread < UNREAD_ANSWERS)
    )
  }

  async #waitForCapacity(): Promise<void> {
    this.#deadlines.pause()
    const timer = setTimeout(() => {
      if (this.#answers.unread > 0) this.#drop('the peer does not read its answers')
    }, UNREAD_ANSWERS_TIMEOUT_MS)
    await this.#gate.until(() => this.#hasCapacity)
    clearTimeout(timer)
    this.#deadlines.resume()
  }

  /** Deadlines keep running in this pause, because the peer caused it. */
  async #waitForRefusalLimiter(): Promise<void> {
    let isOver = false
    const timer = setTimeout(() => {
      isOver = true
      this.#gate.notify()
    }, this.#peer.refusalLimiter.pause)
    await this.#gate.until(() => isOver || this.#draining || this.#dropped)
    clearTimeout(timer)
  }

  async #handle(frame: IncomingFrame): Promise<void> {
    const answer = this.#answers.reserve(frame.type)
    try {
      const result = await handleFrame(frame, this.#context)
      if (result !== null && typeof result === 'object') await this.#requests.hold(result, answer)
      else answer(result)
    } catch (error) {
      this.#report(error)
    }
  }

  #onAnswered(frameTypes: number[], error?: Error | null): void {
    this.#gate.notify()
    if (!error) return
    const remote = formatSocketAddress(this.#stream.remoteAddress)
    for (const type of frameTypes) {
      this.#context.events.publish('dataexchange.ack_failed', {
        remote,
        frame_type: typeName(type),
        error: error.message,
      })
    }
  }

  #drop(why: string): void {
    const { from, refusals } = this.#context
    refusals.note(`connection dropped: ${why}`, { from })
    this.#dropped = true
    this.#deadlines.stop()
    this.#gate.notify()
    this.#stream.destroy()
  }

  /** Closes, after a moment in which the peer can read its last answers. */
  async #close(): Promise<void> {
    this.#answers.finish()
    await endStream(this.#stream, { lingerMs: CLOSE_LINGER_MS })
  }

  #report(error: unknown): void {
    const { from, logger, refusals } = this.#context
    if (error instanceof PilotError) refusals.note(`connection ended: ${error.code}`, { from, err: error })
    else logger.debug({ from, err: error }, 'connection ended')
  }
}

/** The error of a write on a destroyed stream: Node reports success for bytes that it dropped then. */
function writeError(stream: Stream): Error | null {
  return stream.destroyed ? (stream.errored ?? new Error('the connection was closed')) : null
}
