import { DeliveryError, DriverError, PilotError } from '../errors.ts'
import type { Address } from '../pilot/address.ts'
import type { Resolver, Streams } from '../pilot/transport.ts'
import { FrameType } from '../wire/frame.ts'
import { newMessageId } from '../wire/message-id.ts'
import { Client } from './client.ts'
import type { ClientOptions, DeliverOptions } from './client-options.ts'
import type { Message } from './outgoing.ts'
import type { Receipt } from './receipt.ts'
import { resolveTarget } from './target.ts'

/** Options of {@link ResendingClient}. */
export interface ResendingClientOptions extends ClientOptions {
  /**
   * Whether a message whose answer was lost is sent once more, on a new connection and under the same id: the peer
   * stores it once `[tagged.resend]`. Never done for a TRACE, for a stream, which can be read only once, and for a
   * peer that does not support ids.
   * @default true
   */
  resend?: boolean | undefined
  /**
   * Milliseconds for the first answer to a message that can be sent again.
   * @default the `answerTimeoutMs` of the delivery
   */
  resendAfterMs?: number | undefined
  /** Milliseconds to connect. @default 30 s (`LIMITS.dialTimeout`) */
  dialTimeoutMs?: number | undefined
}

/**
 * Delivers any number of messages to one peer on one connection, which is opened with the first message and again
 * after it was lost. A message whose answer was lost is sent once more under the same id `[tagged.resend]`.
 *
 * Messages are sent one after the other in the order of the calls, each after the answer to the one before: a message
 * that is sent again never follows a later one. {@link Client} has many in flight, and resends nothing. `deliver()`,
 * the outbox and `pilot-dx send-message` send through this class.
 */
export class ResendingClient {
  readonly #driver: Pick<Streams, 'dial'> & Partial<Resolver>
  readonly #target: Address | string
  readonly #options: ResendingClientOptions
  #address: Address | undefined
  #client: Client | undefined
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false

  /** Connects to nobody yet. `target` is resolved with the first message. */
  constructor(
    driver: Pick<Streams, 'dial'> & Partial<Resolver>,
    target: Address | string,
    options: ResendingClientOptions = {},
  ) {
    this.#driver = driver
    this.#target = target
    this.#options = options
  }

  /** The peer's address; undefined until the target was resolved. */
  get address(): Address | undefined {
    return this.#address
  }

  /**
   * Resolves the target and connects, unless there is a connection. {@link deliver} does so by itself.
   *
   * @throws {AddressError} ADDRESS_INVALID as of {@link resolveTarget}
   * @throws {DriverError} DAEMON_REFUSED for an unknown hostname; STREAM_CLOSED after {@link close}; those of
   * {@link Client.dial}
   */
  async connect({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#connect(signal)
  }

  /**
   * Delivers a message. Resolves on the ACK: the peer has stored it. The message has the id `messageId`, or a new one;
   * a frame that no peer stores (TRACE, unknown types) has one only if it is given. The receipt's `resent` tells
   * whether it was sent again. A delivery that fails closes the connection.
   *
   * @throws what {@link connect} and {@link Client.deliver} throw; if the second try fails too, the error of the first,
   * with that of the second as its cause
   */
  deliver(message: Message, options: DeliverOptions = {}): Promise<Receipt> {
    const delivered = this.#last.then(() => this.#deliver(message, options))
    this.#last = delivered.catch(() => {})
    return delivered
  }

  /** Closes the connection. A delivery in flight rejects with CONNECTION_CLOSED. Later calls reject. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#disconnect()
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #deliver(message: Message, given: DeliverOptions): Promise<Receipt> {
    const { resend = true, resendAfterMs = given.answerTimeoutMs } = this.#options
    const messageId = given.messageId ?? (isStored(message) ? newMessageId() : undefined)
    const options = { ...given, messageId }
    const mayResend = resend && messageId !== undefined && isRepeatable(message)
    const client = await this.#connect(given.signal)
    try {
      return await client.deliver(
        message,
        mayResend ? { ...options, answerTimeoutMs: resendAfterMs } : options,
      )
    } catch (error) {
      await this.#disconnect()
      // A peer without ids would store it twice.
      const isFinal = !mayResend || client.supportsIds === false || this.#isClosed
      if (isFinal || !isLostAnswer(error)) throw error
      return { ...(await this.#sendAgain(message, options, error)), resent: true }
    }
  }

  async #sendAgain(message: Message, options: DeliverOptions, first: DeliveryError): Promise<Receipt> {
    try {
      const client = await this.#connect(options.signal)
      return await client.deliver(message, options)
    } catch (second) {
      await this.#disconnect()
      throw stillLost(first, second)
    }
  }

  async #connect(signal: AbortSignal | undefined): Promise<Client> {
    if (this.#isClosed) throw new DriverError('STREAM_CLOSED', 'this client is closed')
    if (this.#client !== undefined) return this.#client
    const { maxFrameSize, dialTimeoutMs } = this.#options
    this.#address ??= await resolveTarget(this.#driver, this.#target, { signal })
    const options = { signal, maxFrameSize, timeoutMs: dialTimeoutMs }
    const client = await Client.dial(this.#driver, this.#address, options)
    if (this.#isClosed) {
      await client.close()
      throw new DriverError('STREAM_CLOSED', 'this client was closed while it connected')
    }
    this.#client = client
    return client
  }

  async #disconnect(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.close()
  }
}

/** Receivers store these types, and remember the ids of these only. */
function isStored(message: Message): boolean {
  if ('type' in message) return STORED.has(message.type)
  return !('trace' in message)
}

const STORED: ReadonlySet<number> = new Set([
  FrameType.Text,
  FrameType.Binary,
  FrameType.JSON,
  FrameType.File,
])

function isRepeatable(message: Message): boolean {
  if ('trace' in message) return false
  if (!('file' in message)) return true
  const { file } = message
  return typeof file === 'string' || [URL, Uint8Array, Blob].some(kind => file instanceof kind)
}

function isLostAnswer(error: unknown): error is DeliveryError {
  return error instanceof DeliveryError && LOST.has(error.code)
}

const LOST: ReadonlySet<string> = new Set(['ANSWER_TIMED_OUT', 'CONNECTION_CLOSED'])

/** The second try says nothing about the first: the message may be stored. So the first error stands. */
function stillLost({ code, message }: DeliveryError, second: unknown): unknown {
  if (second instanceof PilotError && second.code === 'ABORTED') return second
  const why = second instanceof Error ? second.message : String(second)
  return new DeliveryError(code, `${message}; it was sent once more, which failed too: ${why}`, {
    cause: second,
  })
}
