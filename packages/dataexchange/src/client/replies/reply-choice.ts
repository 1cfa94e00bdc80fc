import type { InboxMessage } from '../../mailbox/inbox/read.ts'

/**
 * Finds the reply among the messages that come from a peer, by the rules of section 5: one that names a
 * message of mine is it; one that names another never is, and a peer that does so must name mine too; else
 * it is the first that names none.
 */
export class ReplyChoice {
  readonly #ids: ReadonlySet<string>
  #named: InboxMessage | undefined
  #unnamed: InboxMessage | undefined
  #mustName = false

  /** `ids`: those of the message that was sent. */
  constructor(ids: Iterable<string>) {
    this.#ids = new Set(ids)
  }

  /** A message has come; the order of the calls is the order in which they came. */
  add(message: InboxMessage): void {
    const { messageId, replyTo } = message
    // What was sent, where this node has sent it to itself.
    if (messageId !== undefined && this.#ids.has(messageId)) return
    if (replyTo === undefined) this.#unnamed ??= message
    else if (this.#ids.has(replyTo)) this.#named ??= message
    else this.#mustName = true
  }

  /** The reply that names what was sent. */
  get named(): InboxMessage | undefined {
    return this.#named
  }

  /** The message to take for the reply where none names what was sent. */
  get unnamed(): InboxMessage | undefined {
    return this.#mustName ? undefined : this.#unnamed
  }
}
