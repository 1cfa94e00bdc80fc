import type { InboxMessage } from '../../mailbox/inbox/read.ts'

/**
 * Finds the reply among the messages of a peer. The reply is the message whose `reply_to` is one of our ids
 * `[reply.named]`. A message with another `reply_to` is not the reply, and shows that the peer sets it `[reply.named-other]`.
 * Otherwise the first message without `reply_to` is the reply `[reply.untagged]`.
 */
export class ReplyChoice {
  readonly #ids: ReadonlySet<string>
  #named: InboxMessage | undefined
  #unnamed: InboxMessage | undefined
  #mustName = false

  /** `ids` of the sent message. */
  constructor(ids: Iterable<string>) {
    this.#ids = new Set(ids)
  }

  /** Adds a message, in the order of arrival. */
  add(message: InboxMessage): void {
    const { messageId, replyTo } = message
    // A node that sends to itself finds its own message.
    if (messageId !== undefined && this.#ids.has(messageId)) return
    if (replyTo === undefined) this.#unnamed ??= message
    else if (this.#ids.has(replyTo)) this.#named ??= message
    else this.#mustName = true
  }

  /** The reply whose `reply_to` is one of our ids. */
  get named(): InboxMessage | undefined {
    return this.#named
  }

  /** The message without `reply_to` that is the reply unless {@link named} arrives. */
  get unnamed(): InboxMessage | undefined {
    return this.#mustName ? undefined : this.#unnamed
  }
}
