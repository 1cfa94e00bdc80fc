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

/** Frames of one connection that are being stored; at this number reading pauses. @limit count */
const FRAMES_IN_FLIGHT = 64

/** Answers that a peer has not read yet; at this size reading from it pauses. @limit bytes */
const UNREAD_ANSWERS = 256 * KiB

/** Time after which a peer that reads none of its answers is disconnected. @limit ms */
const UNREAD_ANSWERS_TIMEOUT_MS = 30_000

/**
 * Time for a peer to read its last answers before this side closes: a daemon may drop them at a close.
 * @limit ms
 */
export const CLOSE_LINGER_MS = 500

/** What the connections of a service share. */
export interface ConnectionOptions {
  mailbox: Mailbox
  events: EventBus
  logger: Logger
  refusals: RefusalLog
  admission: Admission
  trust?: TrustChecker | undefined
  answerer: RequestAnswerer | undefined
  /** Bytes. */
  maxFrameSize: number
  /** Milliseconds without a byte of payload, while no payload of the peer is being handled; Infinity: never. */
  idleTimeout: number
  /** Milliseconds for one frame, see `LIMITS.frameTimeout`; Infinity: never. */
  frameTimeout: number
}

/** Bytes given to the parser at a time outside of large payloads. */
const SLICE = 1024

/**
 * One peer of the service: reads frames, has them handled, several at once, and answers in their order.
 * What it holds is bounded: frames and bytes being stored, and answers that the peer does not read
 * (`LIMITS`); at a bound it stops reading, and the transport's backpressure reaches the peer.
 */
export class Connection {
  readonly #stream: Stream
  readonly #peer: Peer
  readonly #context: HandlerContext
  readonly #answers: AnswerQueue
  /** Their time over, the connection is drained: both sides have had it (section 6). */
  readonly #conversations = new OpenRequests(() => void this.drain(0))
  readonly #transfers: FileStreamReceiver
  readonly #intake: FrameAssembler
  readonly #parser: FrameParser
  readonly #deadlines: Deadlines
  readonly #gate = new Gate()
  readonly #reader: ChunkReader
  #draining = false
  #givenUp = false
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
      (bytes, callback) => stream.write(bytes, error => callback(error ?? dropped(stream))),
      (types, error) => this.#onAnswered(types, error),
    )
    this.#deadlines = new Deadlines({
      ...options,
      isBusy: () => this.#intake.payloads > 0 || this.#conversations.isBusy,
      onExpired: why => this.#giveUp(why),
    })
    this.#intake = new FrameAssembler({
      handle: frame => this.#handle(frame),
      onProgress: notify,
      budget: peer.budget,
      deadlines: this.#deadlines,
    })
    this.#parser = new FrameParser(this.#intake, options)
    this.#reader = new ChunkReader(stream)
    stream.on('close', () => {
      notify()
      this.#conversations.abort()
    })
    // The read loop gets the stream's errors; one that comes between two reads must not end the process.
    stream.on('error', notify)
  }

  /** Serves the peer until it leaves, breaks the rules, or {@link drain} is called. Never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#serve()
    return this.#running
  }

  /**
   * Reads no more, answers the frames that have arrived whole, drops one that has not, and closes.
   * Replies that are being worked out have `patience` milliseconds. Resolves when the connection is closed.
   */
  async drain(patience: number = FIXED_LIMITS.stopTimeout.value / 2): Promise<void> {
    this.#draining = true
    this.#transfers.stop()
    this.#reader.stop()
    this.#gate.notify()
    const timer = setTimeout(() => this.#conversations.abort(), patience)
    await this.#running
    clearTimeout(timer)
  }

  /** Ends the connection at once. A frame that is being stored is stored whole or not at all. */
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
    // Of a peer that has left, nobody waits for a reply.
    if (!this.#draining) this.#conversations.abort()
    this.#transfers.stop()
    await this.#intake.close()
    await this.#transfers.close()
    await this.#close()
    this.#conversations.close()
  }

  async #readFrames(): Promise<void> {
    while (!this.#draining && !this.#givenUp) {
      const chunk = await this.#reader.next()
      if (chunk === null) return
      for (let at = 0; at < chunk.length && !this.#givenUp; ) {
        // In slices, so that a chunk full of tiny frames cannot pass the bounds by much.
        const size = Math.max(SLICE, this.#parser.wanted)
        const piece = chunk.subarray(at, at + size)
        await this.#peer.scheduler.run(this.#peer, () => this.#parser.push(piece))
        at += size
        if (!this.#hasRoom) await this.#roomForMore()
        if (this.#peer.refusalLimiter.pause > 0) await this.#patienceForMore()
      }
    }
  }

  get #hasRoom(): boolean {
    return (
      this.#draining ||
      this.#stream.destroyed ||
      // Those who wait for their turn may hold all of the budget: those who have it must come to their end.
      ((this.#peer.budget.isAvailable || this.#intake.isWanted) &&
        this.#intake.frames < FRAMES_IN_FLIGHT &&
        this.#intake.bytes < FIXED_LIMITS.bytesInFlight.value &&
        !this.#intake.isWaiting &&
        !this.#transfers.isPacing &&
        this.#answers.unread < UNREAD_ANSWERS)
    )
  }

  async #roomForMore(): Promise<void> {
    this.#deadlines.pause()
    const timer = setTimeout(() => {
      if (this.#answers.unread > 0) this.#giveUp('it does not read its answers')
    }, UNREAD_ANSWERS_TIMEOUT_MS)
    await this.#gate.until(() => this.#hasRoom)
    clearTimeout(timer)
    this.#deadlines.resume()
  }

  /** Its deadlines run on meanwhile: the peer has brought the pause about. */
  async #patienceForMore(): Promise<void> {
    let isOver = false
    const timer = setTimeout(() => {
      isOver = true
      this.#gate.notify()
    }, this.#peer.refusalLimiter.pause)
    await this.#gate.until(() => isOver || this.#draining || this.#givenUp)
    clearTimeout(timer)
  }

  async #handle(frame: IncomingFrame): Promise<void> {
    const answer = this.#answers.reserve(frame.type)
    try {
      const result = await handleFrame(frame, this.#context)
      if (result !== null && typeof result === 'object') await this.#conversations.hold(result, answer)
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

  #giveUp(why: string): void {
    const { from, refusals } = this.#context
    refusals.note(`connection dropped: ${why}`, { from })
    this.#givenUp = true
    this.#deadlines.stop()
    this.#gate.notify()
    this.#stream.destroy()
  }

  /** Gives the peer a moment to read its last answers, then closes. */
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

/** Node's sockets report success for what they dropped when they were destroyed. */
function dropped(stream: Stream): Error | null {
  return stream.destroyed ? (stream.errored ?? new Error('the connection was closed')) : null
}
