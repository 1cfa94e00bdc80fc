import { type Deferred, deferred } from '../async/deferred.ts'
import { type WaitOptions, withWait } from '../async/wait.ts'
import { utf8 } from '../bytes.ts'
import { frameCap } from '../frame-limits.ts'
import { LIMITS } from '../limits.ts'
import { defaultMaxFrameSize } from '../max-frame-size.ts'
import type { Address, SocketAddress } from '../pilot/address.ts'
import { endStream } from '../pilot/end-stream.ts'
import { DATA_EXCHANGE_PORT, type Resolver, type Stream, type Streams } from '../pilot/transport.ts'
import { parseAnswer } from '../wire/ack.ts'
import { type Frame, FrameType } from '../wire/frame.ts'
import { readFrame } from '../wire/frame-io.ts'
import type { MessageIds } from '../wire/tagged.ts'
import { readTracePayload } from '../wire/trace.ts'
import { type ClientOptions, checkedIds, type DeliverOptions, hasIds } from './client-options.ts'
import { FrameWriter } from './frame-writer.ts'
import type { Message, Outgoing } from './outgoing.ts'
import { asDeliveryError, PendingAnswers, type WrittenFrame } from './pending-answers.ts'
import { isAckReply, isUnknownTagged, type Receipt, readReceipt, sentIn } from './receipt.ts'
import { isUnknownRequest, type RequestOptions, type RequestOutcome, readReply } from './reply-frame.ts'
import type { FileSource } from './source/file-source.ts'
import { resolveTarget } from './target.ts'

/**
 * A connection to a peer's data exchange service. The `send` methods resolve on write, `deliver` resolves on the ACK:
 * the peer has stored the message. Any number of calls may be in flight. Frames are written in the order of the calls,
 * and their answers come in that order `[ack.order]`. Nothing is sent again: see `ResendingClient`.
 */
export class Client {
  readonly #stream: Stream
  readonly #maxFrameSize: number
  readonly #writer: FrameWriter
  readonly #answers = new PendingAnswers()
  #reading = false
  #supportsIds: boolean | undefined

  /** Uses a connected stream, which belongs to the client from now on. {@link Client.dial} connects one. */
  constructor(stream: Stream, options: ClientOptions = {}) {
    this.#stream = stream
    this.#maxFrameSize = frameCap(options.maxFrameSize, defaultMaxFrameSize())
    this.#writer = new FrameWriter(stream, this.#maxFrameSize)
    // Reads and writes report errors to their callers; without a listener an error would end the process.
    stream.on('error', () => {})
  }

  /**
   * Connects to port 1001 of `target`: an address, a node id, or a hostname, which `driver` resolves. Resolves when the
   * stream is open. The original's `Dial`.
   *
   * @param options `timeoutMs` to connect. @default 30 s (`LIMITS.dialTimeout`)
   * @throws {AddressError} ADDRESS_INVALID, also for a hostname if `driver` does not resolve any
   * @throws {DriverError} DIAL_FAILED, TIMED_OUT, ABORTED, DAEMON_UNAVAILABLE; DAEMON_REFUSED for an unknown hostname
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

  /**
   * Sends a TEXT frame. Resolves on write, as all `send` methods do.
   *
   * @throws {WireError} FRAME_TOO_LARGE, before a byte is written
   * @throws {DriverError} STREAM_CLOSED, DAEMON_GONE
   */
  async sendText(text: string): Promise<void> {
    await this.send({ text })
  }

  /** Sends a JSON frame: bytes unchanged, any other value through JSON.stringify. Resolves on write; errors as of {@link send}. */
  async sendJSON(value: unknown): Promise<void> {
    await this.send({ json: value })
  }

  /** Sends a BINARY frame. Resolves on write; errors as of {@link send}. */
  async sendBinary(bytes: Uint8Array): Promise<void> {
    await this.send({ binary: bytes })
  }

  /** Sends a FILE frame. Resolves on write; errors as of {@link send}. */
  async sendFile(name: string, data: FileSource): Promise<void> {
    await this.send({ file: data, name })
  }

  /** Sends a TRACE frame around a frame of `innerType`. Resolves on write, with the time in it: ns since the Unix epoch. */
  async sendTrace(innerType: number, data: Uint8Array): Promise<bigint> {
    const { payload } = await this.#write({ trace: data, innerType })
    return readTracePayload({ type: FrameType.Trace, payload: payload as Uint8Array }).sentAtNs
  }

  /**
   * Whether the peer supports message ids; undefined until it has answered the first delivery with ids. Later frames
   * are written after that answer: they must not overtake a message that has to be sent again without ids.
   */
  get supportsIds(): boolean | undefined {
    return this.#supportsIds
  }

  /**
   * Sends any message, in a TAGGED frame if `ids` has one. Resolves on write. The answer goes to {@link recv}; it tells
   * whether the peer supports ids.
   *
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID, before a byte is written
   * @throws {PluginError} CONFIG_INVALID for a value that is not a message
   * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED for files
   * @throws {DriverError} STREAM_CLOSED, DAEMON_GONE
   */
  async send(message: Message, ids: MessageIds = {}): Promise<void> {
    await this.#write(message, ids)
  }

  /**
   * Sends a message. Resolves on the ACK, with the receipt: the peer has stored it. Many deliveries may be in flight.
   *
   * With `messageId` or `replyTo` the message goes in a TAGGED frame. If the peer answers that it does not know TAGGED,
   * the message is sent once more without ids `[tagged.fallback]`; the receipt's `idAccepted` tells.
   *
   * @throws {DeliveryError} PEER_REFUSED: the peer answered ERR. PEER_UNSUPPORTED: it does not know the type.
   * ANSWER_TIMED_OUT, CONNECTION_CLOSED: no answer came, and the message may be stored. ANSWER_INVALID: also if the peer
   * acknowledged another number of bytes `[ack.count-checked]`. SOURCE_UNREADABLE, SOURCE_CHANGED for files
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID, before a byte is written
   * @throws {PluginError} CONFIG_INVALID for a value that is not a message, before a byte is written
   * @throws {DriverError} ABORTED
   */
  async deliver(message: Message, options: DeliverOptions = {}): Promise<Receipt> {
    return (await this.#deliver(message, options)).receipt
  }

  /**
   * Sends `text` as a request. Resolves with the reply, which comes on this connection `[autoanswer.reply-text]`; or on the
   * ACK, with the receipt alone, if the peer stores requests. A peer that does not know requests gets the text once more,
   * as TEXT. A peer closes the connection 40 s after a request.
   *
   * @throws {DeliveryError} REPLY_FAILED: the peer acknowledged the request and could not answer it. REPLY_TIMED_OUT.
   * PEER_REFUSED, also if the peer is busy; those of {@link deliver}
   * @throws {WireError} FRAME_TOO_LARGE, MESSAGE_ID_INVALID, before a byte is written
   * @throws {DriverError} ABORTED
   */
  async request(text: string, options: RequestOptions = {}): Promise<RequestOutcome> {
    const { timeoutMs = LIMITS.exchangeTimeout.value, signal } = options
    const message = { type: FrameType.AutoAnswer, payload: utf8(text) }
    const due = performance.now() + timeoutMs
    const timeLeft = () => Math.max(0, due - performance.now())
    try {
      const { receipt, reply } = await this.#deliver(message, { ...options, answerTimeoutMs: timeoutMs })
      if (parseAnswer(receipt.answer).kind !== 'ack-reply') return { receipt }
      options.onAcknowledged?.(receipt)
      return { ...(await readReply(reply, { signal, timeoutMs: timeLeft() })), receipt }
    } catch (error) {
      if (!isUnknownRequest(error)) throw error
      return { receipt: await this.deliver({ text }, { ...options, answerTimeoutMs: timeLeft() }) }
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
        const receipt = {
          ...facts,
          ...(messageId !== undefined && { messageId }),
          idAccepted: written.isTagged,
          resent: false,
        }
        return { receipt, reply: written.reply }
      })
    } catch (error) {
      throw asDeliveryError(error)
    }
  }

  /**
   * The next frame from the peer that does not answer a delivery; null after the peer has closed. The original's `Recv`.
   *
   * @param options `timeoutMs` @default no limit
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
   * Writes the frames of earlier calls and closes. Resolves when the stream is closed, after 5 s at the latest.
   * Deliveries without an answer reject with CONNECTION_CLOSED: await them first. Idempotent.
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

  /** Writes a message. Resolves on write, with the promise of its answer. */
  #writeMessage(message: Message, ids: MessageIds, options: DeliverOptions): Promise<WrittenFrame> {
    return this.#writer.inTurn(async () => {
      const isTrying = hasIds(ids) && this.#supportsIds === undefined
      const outgoing = await this.#writer.prepare(message, isTrying, options.signal)
      try {
        const written = await this.#writeAndWait(outgoing, this.#supportsIds === false ? {} : ids, options)
        if (!isTrying) return written
        // This turn lasts until the answer: a later frame would overtake a message that is sent again.
        this.#supportsIds = !isUnknownTagged(await written.answer)
        if (this.#supportsIds) return written
        // A TRACE needs a new time.
        const again = 'trace' in message ? await this.#writer.prepare(message, false) : outgoing
        return await this.#writeAndWait(again, {}, options)
      } finally {
        await outgoing.close()
      }
    })
  }

  /** Writes one frame and expects its answer. */
  async #writeAndWait(outgoing: Outgoing, ids: MessageIds, options: DeliverOptions): Promise<WrittenFrame> {
    const { signal, onProgress, answerTimeoutMs = LIMITS.answerTimeout.value } = options
    signal?.throwIfAborted()
    const waiter = deferred<Frame>()
    const reply = deferred<Frame>()
    const resolve = (frame: Frame) => {
      // Synchronously: the next frame is the reply, before all answers that are due.
      if (outgoing.head.type === FrameType.AutoAnswer && isAckReply(frame)) this.#answers.expectNext(reply)
      waiter.resolve(frame)
    }
    const onStart = () => this.#expect({ ...waiter, resolve })
    await this.#writer.write(outgoing, { ids, signal, onProgress, onStart })
    const answer = withWait('the answer', { timeoutMs: answerTimeoutMs, signal }, () => waiter.promise)
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
