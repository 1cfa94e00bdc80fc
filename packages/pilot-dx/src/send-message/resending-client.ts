import {
  type Address,
  Client,
  type DeliverOptions,
  DeliveryError,
  type Message,
  type Receipt,
  type Streams,
} from 'pilot-dataexchange'

/** Options of {@link MessageSender}. */
export interface SenderOptions {
  /** Whether a message whose answer was lost is sent once more, on a new connection. */
  resend: boolean
  /** Ends everything when it fires. */
  signal: AbortSignal
  /** Milliseconds for the first answer to a message that may be sent again. */
  patienceMs: number
}

/** Sends messages to one peer on one connection, and on another where that one is lost. */
export class MessageSender {
  readonly #driver: Pick<Streams, 'dial'>
  readonly #address: Address
  readonly #options: SenderOptions
  #client: Client | undefined

  constructor(driver: Pick<Streams, 'dial'>, address: Address, options: SenderOptions) {
    this.#driver = driver
    this.#address = address
    this.#options = options
  }

  /** Delivers `message`. One with a `messageId` is sent twice where its first answer is lost: the peer stores it once. */
  async send(message: Message, ids: Pick<DeliverOptions, 'messageId' | 'replyTo'>): Promise<Receipt> {
    const { resend, patienceMs } = this.#options
    const mayResend = resend && ids.messageId !== undefined
    const client = await this.#connect()
    try {
      return await this.#deliver(client, message, ids, mayResend ? patienceMs : Number.POSITIVE_INFINITY)
    } catch (error) {
      await this.close()
      // A peer that knows no ids would store it twice.
      if (!mayResend || client.takesIds === false || !isLost(error)) throw error
      const again = await this.#sendAgain(message, ids, error)
      return { ...again, resent: true }
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.close()
  }

  async #sendAgain(
    message: Message,
    ids: Pick<DeliverOptions, 'messageId' | 'replyTo'>,
    first: DeliveryError,
  ): Promise<Receipt> {
    try {
      return await this.#deliver(await this.#connect(), message, ids, Number.POSITIVE_INFINITY)
    } catch (second) {
      if (this.#options.signal.aborted) throw second
      const why = second instanceof Error ? second.message : String(second)
      throw new DeliveryError(first.code, `${first.message}; sent once more, it failed too: ${why}`, {
        cause: second,
      })
    }
  }

  #deliver(
    client: Client,
    message: Message,
    ids: Pick<DeliverOptions, 'messageId' | 'replyTo'>,
    timeoutMs: number,
  ): Promise<Receipt> {
    return client.deliver(message, { ...ids, signal: this.#options.signal, timeoutMs })
  }

  async #connect(): Promise<Client> {
    const { signal } = this.#options
    // The timeout of the whole command is the only one.
    const options = { signal, timeoutMs: Number.POSITIVE_INFINITY }
    this.#client ??= await Client.dial(this.#driver, this.#address, options)
    return this.#client
  }
}

function isLost(error: unknown): error is DeliveryError {
  return (
    error instanceof DeliveryError &&
    (error.code === 'CONNECTION_CLOSED' || error.code === 'ANSWER_TIMED_OUT')
  )
}
