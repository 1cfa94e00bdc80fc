import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { WaitOptions } from '../../async/wait.ts'
import { withWait } from '../../async/wait.ts'
import { watchFolder } from '../../disk/watch-folder.ts'
import { DeliveryError, DriverError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { type InboxMessage, isMessageName, readMessage } from '../../mailbox/inbox/read.ts'
import { defaultInboxDir, MESSAGE_SUFFIX } from '../../mailbox/layout.ts'
import { messageAge } from '../../mailbox/names.ts'
import type { Address } from '../../pilot/address.ts'
import { addressOf } from '../target.ts'
import { namesItsReplies } from './names-its-replies.ts'
import { ReplyChoice } from './reply-choice.ts'

/**
 * Time that a message without `reply_to` is held back if its sender usually sets it: the message with it may
 * follow.
 * @limit ms
 */
export const REPLY_HOLD_MS = 750

/** Options of {@link ReplyWatch.reply}; a `Receipt` has the first two. */
export interface ReplyOptions extends WaitOptions {
  /** The id of the sent message. @default none */
  messageId?: string | undefined
  /** Whether the peer accepted that id; if it does not support ids, it cannot set `reply_to`. @default true with an id */
  idAccepted?: boolean | undefined
  /** Milliseconds from the call. @default 30000 */
  timeoutMs?: number | undefined
}

/**
 * Waits in the inbox for the reply to a message. Start it before the message is sent: messages that are in the inbox by
 * then are not the reply, whatever their time.
 *
 * The reply is the new message of the peer whose `reply_to` is the id of the sent message `[reply.named]`. If the peer does
 * not set `reply_to`, its first new message is the reply `[reply.untagged]`: at once, or 750 ms later if the peer has set
 * `reply_to` before `[reply.held]`. It is not if the peer sets another `reply_to` meanwhile `[reply.named-other]`.
 */
export class ReplyWatch {
  readonly #dir: string
  readonly #from: string
  readonly #stop = new AbortController()
  readonly #batches: AsyncGenerator<string[], void, undefined>
  #next: Promise<IteratorResult<string[], void>> = Promise.resolve({ done: true, value: undefined })

  private constructor(dir: string, from: string, onReady: () => void) {
    this.#dir = dir
    this.#from = from
    this.#batches = watchFolder(dir, { accepts: isMessageName, onReady, signal: this.#stop.signal })
    this.#pull()
  }

  /**
   * Lists the inbox and watches it until {@link reply} settles or {@link close} is called. Resolves when it is listed. The
   * folder need not exist yet. A `Service` or another program that receives for this node fills it.
   *
   * @param peer its address or node id
   * @param options `inboxDir` @default ~/.pilot/inbox
   * @throws {AddressError} ADDRESS_INVALID, also for a hostname, which the inbox does not contain
   * @throws a system error if the folder cannot be read
   */
  static async start(
    peer: Address | string,
    options: { inboxDir?: string | undefined } = {},
  ): Promise<ReplyWatch> {
    const from = addressOf(peer).toString()
    const dir = resolve(options.inboxDir ?? defaultInboxDir())
    let ready = () => {}
    const isReady = new Promise<void>(done => {
      ready = done
    })
    const watch = new ReplyWatch(dir, from, ready)
    await Promise.race([isReady, watch.#next])
    return watch
  }

  /**
   * Resolves when the reply is in the inbox. Ends the watch.
   *
   * @throws {DeliveryError} REPLY_TIMED_OUT after `timeoutMs`
   * @throws {DriverError} ABORTED
   */
  async reply(options: ReplyOptions = {}): Promise<InboxMessage> {
    const {
      messageId,
      idAccepted = messageId !== undefined,
      signal,
      timeoutMs = LIMITS.replyWait.value,
    } = options
    const choice = new ReplyChoice(messageId === undefined ? [] : [messageId])
    try {
      return await withWait('the reply', { signal, timeoutMs }, over =>
        this.#search(choice, idAccepted, over),
      )
    } catch (error) {
      if (!(error instanceof DriverError) || error.code !== 'TIMED_OUT') throw error
      // At the end of the wait a held message is the reply.
      if (choice.unnamed !== undefined) return choice.unnamed
      const message = `no reply from ${this.#from} came within ${timeoutMs} ms; the message itself was acknowledged`
      throw new DeliveryError('REPLY_TIMED_OUT', message, { cause: error })
    } finally {
      await this.close()
    }
  }

  /** Ends the watch. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#batches.return()
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #pull(): void {
    this.#next = this.#batches.next()
    // reply() reports the rejection; without reply() it must not end the process.
    this.#next.catch(() => {})
  }

  #search(choice: ReplyChoice, idAccepted: boolean, over: AbortSignal): Promise<InboxMessage> {
    // Starts now, to be done when a message arrives.
    const echoes = idAccepted ? namesItsReplies(this.#dir, this.#from, over) : Promise.resolve(false)
    return new Promise((found, failed) => {
      const holdBack = async () => {
        if (await echoes) await delay(REPLY_HOLD_MS, undefined, { signal: over })
        if (choice.unnamed !== undefined) found(choice.unnamed)
      }
      const search = async () => {
        let isHeld = false
        for await (const messages of this.#arrivals()) {
          for (const message of messages) choice.add(message)
          if (choice.named !== undefined) return found(choice.named)
          if (choice.unnamed === undefined || isHeld) continue
          isHeld = true
          holdBack().catch(failed)
        }
      }
      echoes.catch(failed)
      search().catch(failed)
    })
  }

  /**
   * The new messages of the peer. An unreadable one is read again: other programs write messages under the final name.
   */
  async *#arrivals(): AsyncGenerator<InboxMessage[], void, undefined> {
    const tries = new Map<string, number>()
    for (;;) {
      const result = await (tries.size === 0
        ? this.#next
        : Promise.race([this.#next, delay(RETRY_MS, 'again')]))
      const names = [...tries.keys()]
      if (typeof result === 'object') {
        if (result.done) return
        names.push(...result.value.sort((a, b) => (messageAge(a, 0) < messageAge(b, 0) ? -1 : 1)))
        this.#pull()
      }
      const messages: InboxMessage[] = []
      for (const name of names) {
        const message = await readMessage(this.#dir, name.slice(0, -MESSAGE_SUFFIX.length))
        const count = (tries.get(name) ?? 0) + 1
        if (message !== undefined && 'damaged' in message && count < MAX_TRIES) tries.set(name, count)
        else tries.delete(name)
        if (message !== undefined && !('damaged' in message) && message.from === this.#from)
          messages.push(message)
      }
      if (messages.length > 0) yield messages
    }
  }
}

const RETRY_MS = 50
const MAX_TRIES = 40
