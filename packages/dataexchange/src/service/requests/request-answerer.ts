import { isUtf8 } from 'node:buffer'
import { withWait } from '../../async/wait.ts'
import { utf8 } from '../../bytes.ts'
import { AnswerError, DriverError } from '../../errors.ts'
import type { Address } from '../../pilot/address.ts'

/**
 * Requests that are answered at once, until their replies are written; another one is refused with ERR.
 * @limit count
 */
const ANSWERS_AT_ONCE = 16

/** Requests of one peer that are answered at once; another one is refused with ERR. @limit count */
export const ANSWERS_AT_ONCE_PER_PEER = 4

/** A request that wants its reply on the connection it came on (section 6). */
export interface AnswerRequest {
  readonly text: string
  /** The sender's address, as text. */
  readonly from: string
  readonly address: Address
  /** Bytes of the request. */
  readonly size: number
  readonly receivedAt: Date
  /** The sender's id of the request, where it gave one. */
  readonly messageId?: string
  /** The id of the message that the request answers, where the sender gave one. */
  readonly replyTo?: string
}

/**
 * Works out the reply to one request: text, or its bytes in UTF-8. `signal` fires when the time is over, the
 * peer has left, or the service stops; until the hook has settled, its place among those that may run at
 * once is taken. What it throws is logged, and the peer is told that there is no reply, not why: an
 * `AnswerError` tells the text of its code.
 */
export type AnswerHook = (
  request: AnswerRequest,
  signal: AbortSignal,
) => string | Uint8Array | Promise<string | Uint8Array>

/** Options of {@link RequestAnswerer}. */
export interface RequestAnswererOptions {
  answer: AnswerHook
  /** Milliseconds for one reply. */
  replyTimeout: number
  /** Bytes of the largest reply. */
  maxReply: number
}

/** Answers the requests of all peers, so many at once and no more. */
export class RequestAnswerer {
  readonly #options: RequestAnswererOptions
  readonly #perPeer = new Map<string, number>()
  #all = 0

  constructor(options: RequestAnswererOptions) {
    this.#options = options
  }

  /** Takes a place for a request of `from`; the function it returns gives it back. Undefined where none is free. */
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
   * Has a request answered. `settled` resolves when the hook has come to its end, which may be later.
   *
   * @throws {AnswerError} through `reply`
   */
  reply(
    request: AnswerRequest,
    signal: AbortSignal,
  ): { reply: Promise<Uint8Array>; settled: Promise<unknown> } {
    const { answer, replyTimeout: timeoutMs } = this.#options
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
      throw new AnswerError('ANSWER_UNFIT', 'a reply is a string, or bytes that are UTF-8')
    }
    if (bytes.length > this.#options.maxReply) {
      const message = `the reply has ${bytes.length} bytes; a frame holds ${this.#options.maxReply}`
      throw new AnswerError('ANSWER_UNFIT', message)
    }
    return bytes
  }
}

/** `over` tells why the hook was given up, whatever it threw then. */
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
