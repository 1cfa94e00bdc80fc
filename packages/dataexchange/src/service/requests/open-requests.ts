import { LIMITS } from '../../limits.ts'
import type { Frame } from '../../wire/frame.ts'
import type { AnswerSlot } from '../answer-queue.ts'

/** A request that is answered in two parts, on the connection it came on (section 6). */
export interface OpenRequest {
  /** The answer at once: `ACK+REPLY ...`. */
  readonly ack: string
  /** The frame that follows it. Gives up when `signal` fires; never rejects. */
  reply(signal: AbortSignal): Promise<Frame>
  /** To be called once: the reply has left this process, or never will. */
  release(): void
}

/** The requests of one connection that are being answered on it. */
export class OpenRequests {
  readonly #onOverdue: () => void
  readonly #gone = new AbortController()
  readonly #open = new Set<OpenRequest>()
  #bound: NodeJS.Timeout | undefined

  /** `onOverdue` is called when the time of the latest exchange is over: the connection is to be closed. */
  constructor(onOverdue: () => void) {
    this.#onOverdue = onOverdue
  }

  /** True while a reply is being worked out or written. */
  get isBusy(): boolean {
    return this.#open.size > 0
  }

  /** Answers, works out the reply, and gives it; resolves then. */
  async hold(exchange: OpenRequest, answer: AnswerSlot): Promise<void> {
    this.#open.add(exchange)
    clearTimeout(this.#bound)
    this.#bound = setTimeout(this.#onOverdue, LIMITS.exchangeTimeout.value)
    answer(exchange.ack, { isLast: false })
    const reply = await exchange.reply(this.#gone.signal)
    answer(() => reply, { onWritten: () => this.#over(exchange) })
  }

  /** Replies that are not worked out yet never will be. */
  abort(): void {
    this.#gone.abort()
  }

  /** The connection is over. */
  close(): void {
    clearTimeout(this.#bound)
    for (const exchange of this.#open) this.#over(exchange)
  }

  #over(exchange: OpenRequest): void {
    if (this.#open.delete(exchange)) exchange.release()
  }
}
