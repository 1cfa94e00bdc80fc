import type { Client, Message, Receipt, ReplyWatch, ResendingClient } from 'pilot-dataexchange'
import { type MessageIds, newMessageId } from 'pilot-dataexchange/wire'
import type { Reply } from './reply.ts'
import { resultOf, type SendResult } from './result.ts'

/** Options of {@link Sending}. */
export interface SendingOptions {
  /** True: each message gets its own id. */
  hasIds: boolean
  /** Id of the message that they reply to. */
  replyTo: string | undefined
  /** Called for every acknowledged message. */
  onSent: (result: SendResult) => void
}

/** The sends to one peer, and the reply. */
export class Sending {
  /** The acknowledged messages. */
  readonly results: SendResult[] = []
  /** The reply, if one has come. */
  reply: Reply | undefined
  /** Time in ms from the ACK to the reply. */
  replyAfterMs = 0
  readonly #options: SendingOptions
  #receipt: Receipt | undefined
  #sentAt = 0

  constructor(options: SendingOptions) {
    this.#options = options
  }

  /** Delivers `message`, `count` times on one connection. */
  async deliver(
    message: Message,
    count: number,
    client: ResendingClient,
    signal: AbortSignal,
  ): Promise<void> {
    // The timeout of the whole command is the only one.
    const timeoutMs = Number.POSITIVE_INFINITY
    try {
      for (let n = 0; n < count; n++) {
        this.#acknowledged(
          await client.deliver(message, { ...this.#ids(), signal, answerTimeoutMs: timeoutMs }),
        )
      }
    } finally {
      await client.close()
    }
  }

  /** Requests a reply on the connection of `client`. A peer that gives none has stored the request. */
  async ask(text: string, client: Client, timeoutMs: number): Promise<void> {
    try {
      const { receipt, replyBytes } = await client.request(text, {
        ...this.#ids(),
        timeoutMs,
        onAcknowledged: early => this.#acknowledged(early),
      })
      if (replyBytes === undefined) this.#acknowledged(receipt)
      else {
        const { connectionReply } = await import('./reply.ts')
        this.#replied(connectionReply(client.remoteAddress.address.toString(), replyBytes))
      }
    } finally {
      await client.close()
    }
  }

  /** Waits in the inbox for the reply. */
  async wait(watch: ReplyWatch, timeoutMs: number): Promise<void> {
    const { messageId, idAccepted: tagged } = this.#receipt ?? {}
    const message = await watch.reply({ messageId, idAccepted: tagged, timeoutMs })
    const { inboxReply } = await import('./reply.ts')
    this.#replied(inboxReply(message))
  }

  #ids(): MessageIds {
    const { hasIds, replyTo } = this.#options
    return { ...(hasIds && { messageId: newMessageId() }), ...(replyTo !== undefined && { replyTo }) }
  }

  #acknowledged(receipt: Receipt): void {
    this.#receipt = receipt
    this.#sentAt = performance.now()
    const result = resultOf(receipt, this.results.length + 1, this.#options.replyTo)
    this.results.push(result)
    this.#options.onSent(result)
  }

  #replied(reply: Reply): void {
    this.reply = reply
    this.replyAfterMs = Math.round(performance.now() - this.#sentAt)
  }
}
