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
import { ReadGate } from './read-gate.ts'
import { OpenRequests } from './requests/open-requests.ts'
import type { RequestAnswerer } from './requests/request-answerer.ts'

/** Time after which a peer that reads none of its answers is disconnected. @limit ms */
const UNREAD_ANSWERS_TIMEOUT_MS = 30_000

/**
 * Time for a peer to read its last answers before this side closes: a daemon may drop them at a close.
 * @limit ms
 */
export const CLOSE_LINGER_MS = 500

/** Options of {@link Connection}, the same for all connections of a service. */
export interface ConnectionOptions {
  mailbox: Mailbox
  events: EventBus
  logger: Logger
  refusals: RefusalLog
  admission: Admission
  trust?: TrustChecker | undefined
  answerer: RequestAnswerer | undefined
  /** Maximum size of a frame in bytes. */
  maxFrameSize: number
  /** Milliseconds without a byte of payload, while no payload of the peer is being handled; `Infinity` for no limit. */
  idleTimeoutMs: number
  /** Milliseconds for one frame, see `LIMITS.frameTimeout`; `Infinity` for no limit. */
  frameTimeoutMs: number
}

/** Bytes given to the parser at a time, except for large payloads. */
const SLICE = 1024

/**
 * Serves one connection: reads frames, handles several at once, and answers in their order `[ack.order]`. It bounds
 * the frames and bytes that are being stored and the answers that the peer does not read. At a bound it stops
 * reading, and the backpressure of the transport reaches the peer.
 */
export class Connection {
  readonly #stream: Stream
  readonly #peer: Peer
  readonly #context: HandlerContext
  readonly #answers: AnswerQueue
  /** When their time is over, the connection is drained: the peer has given up by then, too `[autoanswer.bound]`. */
  readonly #requests = new OpenRequests(() => void this.drain(0))
  readonly #transfers: FileStreamReceiver
  readonly #assembler: FrameAssembler
  readonly #parser: FrameParser
  readonly #deadlines: Deadlines
  readonly #gate = new ReadGate()
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
        note: (reason, fields) => {
          peer.refusalLimiter.spend()
          options.refusals.note(reason, fields)
        },
      },
    }
    this.#transfers = new FileStreamReceiver(this.#context, {
      budget: peer.budget,
      onPacing: isPacing => this.#gate.report('transfers', isPacing),
    })
    this.#answers = new AnswerQueue({
      write: (bytes, callback) => stream.write(bytes, error => callback(error ?? writeError(stream))),
      onWritten: (types, error) => this.#onWritten(types, error),
      onFull: isFull => this.#gate.report('answers', isFull),
    })
    this.#deadlines = new Deadlines({
      ...options,
      isBusy: () => this.#assembler.payloads > 0 || this.#requests.isBusy,
      onExpired: reason => this.#drop(reason),
    })
    this.#assembler = new FrameAssembler({
      handle: frame => this.#handle(frame),
      onFull: isFull => this.#gate.report('arriving frames', isFull),
      budget: peer.budget,
      deadlines: this.#deadlines,
    })
    this.#parser = new FrameParser(this.#assembler, options)
    this.#reader = new ChunkReader(stream)
    stream.on('close', () => {
      this.#gate.unblock()
      this.#requests.abort()
    })
    // The read loop handles errors of the stream. Without this listener, an error between two reads would end the process.
    stream.on('error', () => {})
  }

  /** Serves the peer until it leaves or breaks the protocol, or {@link drain} is called. Never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#serve()
    return this.#running
  }

  /**
   * Stops reading, answers the complete frames, drops an incomplete one, and closes. Pending replies have `replyMs`
   * milliseconds. Resolves when the connection is closed.
   */
  async drain(replyMs: number = FIXED_LIMITS.stopTimeout.value / 2): Promise<void> {
    this.#draining = true
    this.#transfers.stop()
    this.#reader.stop()
    this.#gate.release()
    const timer = setTimeout(() => this.#requests.abort(), replyMs)
    await this.#running
    clearTimeout(timer)
  }

  /** Ends the connection at once. A frame that is being stored is stored whole or not at all. */
  destroy(): void {
    this.#stream.destroy()
  }

  async #serve(): Promise<void> {
    const unsubscribe = this.#peer.budget.onAvailable(() => this.#assembler.updateFull())
    try {
      await this.#readFrames()
      if (!this.#draining && !this.#stream.destroyed) this.#parser.finish()
    } catch (error) {
      this.#report(error)
    }
    this.#reader.close()
    unsubscribe()
    this.#deadlines.stop()
    // The peer has left: nobody waits for its replies.
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
        // Slices keep a chunk full of tiny frames from passing the bounds by much.
        const size = Math.max(SLICE, this.#parser.wanted)
        const piece = chunk.subarray(at, at + size)
        await this.#peer.scheduler.run(this.#peer, () => this.#parser.push(piece))
        at += size
        if (!this.#gate.isOpen) await this.#untilOpen()
        if (this.#peer.refusalLimiter.isOverdrawn) await this.#pauseForRefusals()
      }
    }
  }

  async #untilOpen(): Promise<void> {
    this.#deadlines.pause()
    const timer = setTimeout(() => {
      if (this.#answers.unread > 0) this.#drop('the peer does not read its answers')
    }, UNREAD_ANSWERS_TIMEOUT_MS)
    await this.#gate.opened()
    clearTimeout(timer)
    this.#deadlines.resume()
  }

  /** The deadlines of the peer continue: it has caused the pause. */
  async #pauseForRefusals(): Promise<void> {
    const ms = this.#peer.refusalLimiter.pause()
    if (ms > 0) await this.#gate.pause(ms)
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

  #onWritten(frameTypes: number[], error?: Error | null): void {
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

  #drop(reason: string): void {
    const { from, refusals } = this.#context
    refusals.note(`connection dropped: ${reason}`, { from })
    this.#dropped = true
    this.#deadlines.stop()
    this.#gate.release()
    this.#stream.destroy()
  }

  /** Closes, after a moment for the peer to read its last answers. */
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

/** The error of a write to a destroyed stream: Node's sockets report success for it. */
function writeError(stream: Stream): Error | null {
  return stream.destroyed ? (stream.errored ?? new Error('the connection was closed')) : null
}
