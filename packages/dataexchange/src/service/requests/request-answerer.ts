import { isUtf8 } from 'node:buffer'
import { withWait } from '../../async/wait.ts'
import { utf8 } from '../../bytes.ts'
import { AnswerError, DriverError } from '../../errors.ts'
import type { Address } from '../../pilot/address.ts'

/**
 * Requests being answered, until their replies are written; another one is refused with ERR.
 * @limit count
 */
const ANSWERS_AT_ONCE = 16

/** Requests of one peer being answered; another one is refused with ERR. @limit count */
export const ANSWERS_AT_ONCE_PER_PEER = 4

/** A request that expects its reply on the same connection `[autoanswer.ack-reply]`. */
export interface AnswerRequest {
  readonly text: string
  /** The sender's address, as text. */
  readonly from: string
  readonly address: Address
  /** Size of the request in bytes. */
  readonly size: number
  readonly receivedAt: Date
  /** The sender's id of the request, if it set one. */
  readonly messageId?: string
  /** Id of the message that the request replies to, if the sender set one. */
  readonly replyTo?: string
}

/**
 * Computes the reply to one request: text, or its bytes in UTF-8. `signal` is aborted when the time is over, the peer
 * leaves, or the service stops. The hook counts as running until its promise settles. Its error is logged. The peer
 * gets the text of an `AnswerError`'s code, and of any other error only that the hook failed.
 */
export type AnswerHook = (
  request: AnswerRequest,
  signal: AbortSignal,
) => string | Uint8Array | Promise<string | Uint8Array>

/** Options of {@link RequestAnswerer}. */
export interface RequestAnswererOptions {
  answer: AnswerHook
  /** Time in ms for one reply. */
  replyTimeoutMs: number
  /** Largest reply in bytes. */
  maxReply: number
}

/** Answers the requests of all peers, with a bounded number at once. */
export class RequestAnswerer {
  readonly #options: RequestAnswererOptions
  readonly #perPeer = new Map<string, number>()
  #all = 0

  constructor(options: RequestAnswererOptions) {
    this.#options = options
  }

  /** Reserves a place for a request of `from`. Returns the function that releases it, or undefined if none is free. */
  acquire(from: string): (() => void) | undefined {
    const ofPeer = this.#perPeer.get(from) ?? 0
    if (this.#all >= ANSWERS_AT_ONCE || ofPeer >= ANSWERS_AT_ONCE_PER_PEER) return undefined
    this.#all++
    this.#perPeer.set(from, ofPeer + 1)
    return () => {
      this.#all--
      const left = (this.#perPeer.get(from) ?? 0) - 1
      if (left > 0) this.#perPeer.set(from, left)
      else this.#perPeer.delete(from)
    }
  }

  /**
   * Runs the hook. `reply` rejects with an {@link AnswerError}. `settled` resolves when the hook has settled, which may
   * be later than `reply`.
   */
  reply(
    request: AnswerRequest,
    signal: AbortSignal,
  ): { reply: Promise<Uint8Array>; settled: Promise<unknown> } {
    const { answer, replyTimeoutMs: timeoutMs } = this.#options
    let running: Promise<unknown> = Promise.resolve()
    let over = signal
    const reply = withWait('the answer', { signal, timeoutMs }, aborted => {
      over = aborted
      const result = (async () => answer(request, aborted))()
      running = result.catch(() => {})
      return result
    }).then(
      result => this.#bytesOf(result),
      error => {
        throw asAnswerError(error, over)
      },
    )
    return {
      reply,
      settled: reply.then(
        () => running,
        () => running,
      ),
    }
  }

  #bytesOf(reply: unknown): Uint8Array {
    const bytes = typeof reply === 'string' ? utf8(reply) : reply
    if (!(bytes instanceof Uint8Array) || !isUtf8(bytes)) {
      throw new AnswerError('ANSWER_UNFIT', 'a reply must be a string or UTF-8 bytes')
    }
    if (bytes.length > this.#options.maxReply) {
      const message = `the reply has ${bytes.length} bytes; a frame holds ${this.#options.maxReply}`
      throw new AnswerError('ANSWER_UNFIT', message)
    }
    return bytes
  }
}

/** The reason of `over` wins over the hook's own error. */
function asAnswerError(error: unknown, over: AbortSignal): AnswerError {
  const options = { cause: error }
  if (over.aborted) {
    const { reason } = over
    const isLate = reason instanceof DriverError && reason.code === 'TIMED_OUT'
    if (isLate) return new AnswerError('ANSWER_TOO_SLOW', 'the answer hook took too long', options)
    return new AnswerError('ANSWER_STOPPED', 'the peer left, or the service stops', options)
  }
  if (error instanceof AnswerError) return error
  return new AnswerError('ANSWER_FAILED', 'the answer hook failed', options)
}
