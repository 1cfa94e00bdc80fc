import type { Deferred } from '../async/deferred.ts'
import { deferred } from '../async/deferred.ts'
import type { WaitOptions } from '../async/wait.ts'
import { withWait } from '../async/wait.ts'
import { decodeUtf8, utf8 } from '../bytes.ts'
import { DeliveryError, DriverError, PilotError } from '../errors.ts'
import { frameCap } from '../frame-limits.ts'
import { LIMITS } from '../limits.ts'
import { defaultMaxFrameSize } from '../max-frame-size.ts'
import type { Address, SocketAddress } from '../pilot/address.ts'
import { endStream } from '../pilot/end-stream.ts'
import { DATA_EXCHANGE_PORT, type Resolver, type Stream, type Streams } from '../pilot/transport.ts'
import { parseAnswer } from '../wire/ack.ts'
import { type Frame, FrameType } from '../wire/frame.ts'
import { readFrame } from '../wire/frame-io.ts'
import { checkMessageId } from '../wire/message-id.ts'
import type { MessageIds } from '../wire/tagged.ts'
import { readTracePayload } from '../wire/trace.ts'
import { FrameWriter } from './frame-writer.ts'
import type { Message, Outgoing } from './outgoing.ts'
import { closedError, PendingAnswers } from './pending-answers.ts'
import { type Receipt, readReceipt, sentIn } from './receipt.ts'
import { isUnknownRequest, type RequestOptions, type RequestOutcome, readReply } from './reply-frame.ts'
import type { FileSource } from './source/file-source.ts'
import { resolveTarget } from './target.ts'

/** Options of {@link Client}. */
export interface ClientOptions {
  /** Bytes of the largest frame sent or received. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
}

/**
 * Options of {@link Client.deliver}. The ids are 1 to 128 characters of `A-Z a-z 0-9 - _ . :` (section 5); a peer
 * that does not know them gets the message without.
 */
export interface DeliverOptions extends WaitOptions, MessageIds {
  /** Milliseconds from the last byte written to the answer. @default 30000 */
  timeoutMs?: number | undefined
  /** Told of every piece of a file that has been written: bytes so far, bytes in all. */
  onProgress?: ((written: number, total: number) => void) | undefined
}

/**
 * A connection to a peer's data exchange service. The `send` methods resolve once a frame is written;
 * `deliver` resolves once the peer has acknowledged it, which from this service means: durable. Any number
 * of calls may be in flight; frames go out in the order of the calls, and answers come in that order too.
 */
export class Client {
  readonly #stream: Stream
  readonly #maxFrameSize: number
  readonly #writer: FrameWriter
  readonly #answers = new PendingAnswers()
  #reading = false
  #takesIds: boolean | undefined

  /** Takes over a stream that is connected already; {@link Client.dial} is the usual way. */
  constructor(stream: Stream, options: ClientOptions = {}) {
    this.#stream = stream
    this.#maxFrameSize = frameCap(options.maxFrameSize, defaultMaxFrameSize())
    this.#writer = new FrameWriter(stream, this.#maxFrameSize)
    // Reads and writes report errors to their callers; one in between must not end the process.
    stream.on('error', () => {})
  }

  /**
   * Connects to port 1001 of `address`. The original's `Dial`.
   *
   * @throws {DriverError} DIAL_FAILED, TIMED_OUT (30 s unless `timeoutMs` says otherwise), ABORTED, DAEMON_UNAVAILABLE
   * @throws {AddressError} where `address` is a text that is none
   */
  static async dial(
    driver: Pick<Streams, 'dial'> & Partial<Resolver>,
    target: Address | string,
    options: ClientOptions & WaitOptions = {},
  ): Promise<Client> {
    const { signal } = options
    const address = await resolveTarget(driver, target, { signal })
    return new Client(await driver.dial(address, DATA_EXCHANGE_PORT, options), options)
  }

  /** The peer's address and port. */
  get remoteAddress(): SocketAddress {
    return this.#stream.remoteAddress
  }

  /** Sends a TEXT frame. Resolves when it is written. As all `send` methods it rejects with WireError for a frame that cannot be sent, and with DriverError STREAM_CLOSED or DAEMON_GONE. */
  async sendText(text: string): Promise<void> {
    await this.send({ text })
  }

  /** Sends a JSON frame: bytes as they are, any other value through JSON.stringify. Resolves when it is written. */
  async sendJSON(value: unknown): Promise<void> {
    await this.send({ json: value })
  }

  /** Sends a BINARY frame. Resolves when it is written. */
  async sendBinary(bytes: Uint8Array): Promise<void> {
    await this.send({ binary: bytes })
  }

  /** Sends a FILE frame. Resolves when it is written. */
  async sendFile(name: string, data: FileSource): Promise<void> {
    await this.send({ file: data, name })
  }

  /** Sends a TRACE frame around a frame of `innerType`. Resolves, when it is written, with the time in it: ns since the Unix epoch. */
  async sendTrace(innerType: number, data: Uint8Array): Promise<bigint> {
    const { payload } = await this.#write({ trace: data, innerType })
    return readTracePayload({ type: FrameType.Trace, payload: payload as Uint8Array }).sentAtNs
  }

  /**
   * Whether the peer takes message ids: undefined until it has answered the first delivery that has some. Only then
   * are the frames behind that one written, so that they cannot overtake it where it has to be sent again.
   */
  get takesIds(): boolean | undefined {
    return this.#takesIds
  }

  /**
   * Sends any message, in a TAGGED frame where `ids` holds one: also to a peer that does not know it, as its answer
   * will tell. Resolves when it is written; the answer is for {@link recv}.
   */
  async send(message: Message, ids: MessageIds = {}): Promise<void> {
    await this.#write(message, ids)
  }

  /**
   * Sends a message and resolves with the peer's receipt: it is stored. Many deliveries may be in flight. With
   * `messageId` or `replyTo` it is sent in a TAGGED frame (section 5), and once more without where the peer answers
   * that it does not know that; the receipt's `tagged` tells.
   *
   * @throws {DeliveryError} PEER_REFUSED: the peer answered ERR. PEER_UNSUPPORTED: it does not know the
   * type. ANSWER_TIMED_OUT, CONNECTION_CLOSED: no answer came; the message may or may not be stored.
   * ANSWER_INVALID: also where the peer acknowledged another number of bytes than were sent. SOURCE_UNREADABLE,
   * SOURCE_CHANGED for files.
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID, before a byte is
   * sent
   * @throws {PluginError} CONFIG_INVALID for a value that is no message, before a byte is sent
   * @throws {DriverError} ABORTED
   */
  async deliver(message: Message, options: DeliverOptions = {}): Promise<Receipt> {
    const { receipt } = await this.#deliver(message, options)
    return receipt
  }

  /**
   * Sends `text` as a request and resolves with the reply, which comes on this connection (section 6); where the
   * peer answers nothing, with the receipt alone: it has stored the request. To a peer that does not know requests
   * the text is sent once more, as TEXT. A peer closes the connection 40 s after a request, whatever else it is used for.
   *
   * @throws {DeliveryError} REPLY_FAILED: the peer took the request and could not answer it. REPLY_TIMED_OUT.
   * PEER_REFUSED, also for a peer that is busy. Those of {@link deliver}
   * @throws {WireError} FRAME_TOO_LARGE, MESSAGE_ID_INVALID, before a byte is sent
   * @throws {DriverError} ABORTED
   */
  async request(text: string, options: RequestOptions = {}): Promise<RequestOutcome> {
    const { timeoutMs = LIMITS.exchangeTimeout.value, signal } = options
    const message = { type: FrameType.AutoAnswer, payload: utf8(text) }
    const due = performance.now() + timeoutMs
    const timeLeft = () => Math.max(0, due - performance.now())
    try {
      const { receipt, reply } = await this.#deliver(message, { ...options, timeoutMs })
      if (parseAnswer(receipt.answer).kind !== 'ack-reply') return { receipt }
      options.onAcknowledged?.(receipt)
      return { ...(await readReply(reply, { signal, timeoutMs: timeLeft() })), receipt }
    } catch (error) {
      if (!isUnknownRequest(error)) throw error
      return { receipt: await this.deliver({ text }, { ...options, timeoutMs: timeLeft() }) }
    }
  }

  async #deliver(
    message: Message,
    options: DeliverOptions,
  ): Promise<{ receipt: Receipt; reply: Promise<Frame> }> {
    const { signal, messageId } = options
    const ids = checkedIds(options)
    try {
      return await withWait('the delivery', { signal }, async aborted => {
        const written = await this.#writeMessage(message, ids, { ...options, signal: aborted })
        const facts = readReceipt(sentIn(written.outgoing), await written.answer)
        const id = messageId !== undefined && { messageId }
        const receipt = { ...facts, ...id, tagged: written.isTagged, resent: false }
        return { receipt, reply: written.reply }
      })
    } catch (error) {
      throw asDeliveryError(error)
    }
  }

  /**
   * The next frame from the peer that answers no delivery, or null once the peer has closed. The original's
   * `Recv`.
   *
   * @throws {DriverError} TIMED_OUT, ABORTED: the frame stays for the next call; DAEMON_GONE, STREAM_CLOSED
   * @throws {WireError} FRAME_TRUNCATED, FRAME_TOO_LARGE and the others of reading
   */
  async recv(options: WaitOptions = {}): Promise<Frame | null> {
    const receiver = deferred<Frame | null>()
    try {
      return await withWait('recv', options, () => {
        this.#answers.receive(receiver)
        void this.#readWhileWanted()
        return receiver.promise
      })
    } finally {
      this.#answers.forget(receiver)
    }
  }

  /** The frames from the peer, until it closes: `for await (const frame of client)`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void, undefined> {
    for (let frame = await this.recv(); frame !== null; frame = await this.recv()) yield frame
  }

  /**
   * Writes what is left and closes. Resolves when the stream is closed, at the latest after 5 s. Deliveries
   * that have no answer by then fail with CONNECTION_CLOSED: await them first.
   */
  async close(): Promise<void> {
    await endStream(this.#stream, { after: this.#writer.idle })
    this.#answers.ended()
  }

  /** The same as {@link close}: `await using client = await Client.dial(...)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #write(message: Message, ids: MessageIds = {}): Promise<Outgoing> {
    return this.#writer.inTurn(async () => {
      const outgoing = await this.#writer.prepare(message, false)
      try {
        await this.#writer.write(outgoing, { ids, onStart: () => this.#expect(null) })
        return outgoing
      } finally {
        await outgoing.close()
      }
    })
  }

  /** Writes a message, and resolves with what was written and the answer to come. */
  #writeMessage(message: Message, ids: MessageIds, options: DeliverOptions): Promise<Written> {
    return this.#writer.inTurn(async () => {
      const isTrying = hasIds(ids) && this.#takesIds === undefined
      const outgoing = await this.#writer.prepare(message, isTrying, options.signal)
      try {
        const written = await this.#writeAndWait(outgoing, this.#takesIds === false ? {} : ids, options)
        if (!isTrying) return written
        // Nothing else is written meanwhile: it would arrive before what may have to be sent again.
        this.#takesIds = !isUnknownTagged(await written.answer)
        if (this.#takesIds) return written
        // A trace takes the time anew.
        const again = 'trace' in message ? await this.#writer.prepare(message, false) : outgoing
        return await this.#writeAndWait(again, {}, options)
      } finally {
        await outgoing.close()
      }
    })
  }

  /** Writes one frame that gets its answer here. */
  async #writeAndWait(outgoing: Outgoing, ids: MessageIds, options: DeliverOptions): Promise<Written> {
    const { signal, onProgress, timeoutMs = LIMITS.answerTimeout.value } = options
    signal?.throwIfAborted()
    const waiter = deferred<Frame>()
    const reply = deferred<Frame>()
    const resolve = (frame: Frame) => {
      // At once: the next frame is the reply, whatever else is due.
      if (outgoing.head.type === FrameType.AutoAnswer && isAckReply(frame)) this.#answers.expectNext(reply)
      waiter.resolve(frame)
    }
    const onStart = () => this.#expect({ ...waiter, resolve })
    await this.#writer.write(outgoing, { ids, signal, onProgress, onStart })
    const answer = withWait('the answer', { timeoutMs, signal }, () => waiter.promise)
    answer.catch(() => {})
    return { outgoing, answer, reply: reply.promise, isTagged: hasIds(ids) }
  }

  #expect(waiter: Deferred<Frame> | null): void {
    this.#answers.expectAnswer(waiter)
    void this.#readWhileWanted()
  }

  async #readWhileWanted(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#answers.wantsMore) {
        const frame = await readFrame(this.#stream, { maxFrameSize: this.#maxFrameSize })
        if (frame === null) this.#answers.ended()
        else this.#answers.arrived(frame)
      }
    } catch (error) {
      this.#answers.ended(error)
    } finally {
      this.#reading = false
    }
  }
}

/** A frame that was written, and the answer to it. */
interface Written {
  readonly outgoing: Outgoing
  readonly answer: Promise<Frame>
  /** Settles only where the answer says that a reply follows. */
  readonly reply: Promise<Frame>
  readonly isTagged: boolean
}

function hasIds({ messageId, replyTo }: MessageIds): boolean {
  return messageId !== undefined || replyTo !== undefined
}

function checkedIds({ messageId, replyTo }: MessageIds): MessageIds {
  return {
    ...(messageId !== undefined && { messageId: checkMessageId(messageId) }),
    ...(replyTo !== undefined && { replyTo: checkMessageId(replyTo) }),
  }
}

function isAckReply({ payload }: Frame): boolean {
  return parseAnswer(decodeUtf8(payload) ?? '').kind === 'ack-reply'
}

/** Whether the answer to a TAGGED frame says that the peer does not know it. */
function isUnknownTagged({ payload }: Frame): boolean {
  const answer = parseAnswer(decodeUtf8(payload) ?? '')
  return answer.kind === 'unsupported' && answer.type === FrameType.Tagged
}

/** What a delivery rejects with: the connection's own errors become one code, so that callers need not know the transport's. */
function asDeliveryError(error: unknown): unknown {
  if (!(error instanceof PilotError)) return closedError(error)
  if (error.code === 'TIMED_OUT') {
    const message = 'the peer did not answer in time; the message may or may not be stored'
    return new DeliveryError('ANSWER_TIMED_OUT', message, { cause: error })
  }
  return error instanceof DriverError && error.code !== 'ABORTED' ? closedError(error) : error
}
