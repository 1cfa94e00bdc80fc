import { LIMITS } from '../../limits.ts'
import type { Frame } from '../../wire/frame.ts'
import type { AnswerSlot } from '../answer-queue.ts'

/** A request that is answered in two parts on its connection `[autoanswer.ack-reply]`. */
export interface OpenRequest {
  /** The first part: `ACK+REPLY ...`. */
  readonly ack: string
  /** Computes the second part. Ends early when `signal` is aborted. Never rejects. */
  reply(signal: AbortSignal): Promise<Frame>
  /** Called once, when the reply has left this process, or never will. */
  release(): void
}

/** The open requests of one connection. */
export class OpenRequests {
  readonly #onOverdue: () => void
  readonly #gone = new AbortController()
  readonly #open = new Set<OpenRequest>()
  #bound: NodeJS.Timeout | undefined

  /** Calls `onOverdue` when the time of the latest request is over `[autoanswer.bound]`: then the connection must close. */
  constructor(onOverdue: () => void) {
    this.#onOverdue = onOverdue
  }

  /** True while a reply is being computed or written. */
  get isBusy(): boolean {
    return this.#open.size > 0
  }

  /** Sets the first answer, computes the reply, and sets it as the second answer. Resolves then. */
  async hold(exchange: OpenRequest, answer: AnswerSlot): Promise<void> {
    this.#open.add(exchange)
    clearTimeout(this.#bound)
    this.#bound = setTimeout(this.#onOverdue, LIMITS.exchangeTimeout.value)
    answer(exchange.ack, { isLast: false })
    const reply = await exchange.reply(this.#gone.signal)
    answer(() => reply, { onWritten: () => this.#over(exchange) })
  }

  /** Aborts the hooks that still run. */
  abort(): void {
    this.#gone.abort()
  }

  /** Releases all requests at the end of the connection. */
  close(): void {
    clearTimeout(this.#bound)
    for (const exchange of this.#open) this.#over(exchange)
  }

  #over(exchange: OpenRequest): void {
    if (this.#open.delete(exchange)) exchange.release()
  }
}
