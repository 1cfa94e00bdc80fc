import type { Client, Message, Receipt, ReplyWatch } from 'pilot-dataexchange'
import { type MessageIds, newMessageId } from 'pilot-dataexchange/wire'
import type { Reply } from './reply.ts'
import type { MessageSender } from './resending-client.ts'
import { resultOf, type SendResult } from './result.ts'

/** Options of {@link Sending}. */
export interface SendingOptions {
  /** Whether each message gets an id of its own. */
  hasIds: boolean
  /** The id of the message that they answer. */
  replyTo: string | undefined
  /** Told of every message that was acknowledged. */
  onSent: (result: SendResult) => void
}

/** What is sent to one peer, and the reply to it. */
export class Sending {
  /** What was acknowledged. */
  readonly results: SendResult[] = []
  /** The reply, where one has come. */
  reply: Reply | undefined
  /** Milliseconds from the ACK to the reply. */
  replyAfterMs = 0
  readonly #options: SendingOptions
  #receipt: Receipt | undefined
  #sentAt = 0

  constructor(options: SendingOptions) {
    this.#options = options
  }

  /** Delivers `message`, `count` times on one connection. */
  async deliver(message: Message, count: number, sender: MessageSender): Promise<void> {
    try {
      for (let n = 0; n < count; n++) this.#acknowledged(await sender.send(message, this.#ids()))
    } finally {
      await sender.close()
    }
  }

  /** Asks over `client` for a reply on its connection; a peer that gives none has stored the request. */
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

  /** Waits in the inbox for the reply to what was sent. */
  async wait(watch: ReplyWatch, timeoutMs: number): Promise<void> {
    const { messageId, tagged } = this.#receipt ?? {}
    const message = await watch.reply({ messageId, tagged, timeoutMs })
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
