import { KeyedQueue, type Turn } from '../../async/keyed-queue.ts'
import { Semaphore } from '../../async/semaphore.ts'
import type { Message } from '../../client/outgoing.ts'
import { OutboxError, PluginError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { defaultMaxFrameSize } from '../../max-frame-size.ts'
import { checkMessageId, newMessageId } from '../../wire/message-id.ts'
import type { EntryHead } from '../entry/head.ts'
import type { EntryStore } from '../entry/store.ts'
import { peerKey } from '../peer-key.ts'
import { compose } from './compose.ts'
import { OutboxQuota, type QuotaLimits } from './quota.ts'

/** Options of `Outbox.add`. */
export interface AddOptions {
  /** The message's id, the same at every try. @default newMessageId() */
  messageId?: string | undefined
  /** The id of the message that this one answers. */
  replyTo?: string | undefined
  /** Time to live in milliseconds; Infinity for no end. @default 7 days */
  expiresInMs?: number | undefined
  /**
   * Whether to copy a file that is given by its path. Otherwise the file is read when it is sent, and must not have changed
   * since. @default false
   */
  copy?: boolean | undefined
}

/** Writes new entries, in the order of the calls. */
export class Adder {
  readonly #store: EntryStore
  readonly #quota: OutboxQuota
  readonly #limits: QuotaLimits
  readonly #maxFrameSize: number | undefined
  readonly #turns = new KeyedQueue()
  readonly #slots = new Semaphore(WRITES_AT_ONCE)
  readonly #ids = new Set<string>()
  #lastSeq: number

  /** `lastSeq` of the newest entry in the folder. */
  constructor(
    store: EntryStore,
    limits: QuotaLimits & { maxFrameSize?: number | undefined },
    lastSeq: number,
  ) {
    this.#store = store
    this.#limits = limits
    this.#quota = new OutboxQuota(store, limits)
    this.#maxFrameSize = limits.maxFrameSize
    this.#lastSeq = lastSeq
  }

  /** Resolves with the id when the entry is durable. */
  async add(target: string, message: Message, options: AddOptions): Promise<string> {
    // Before the first await, to keep the order of the calls. Slots follow the same order: a call with a slot never waits
    // for the turn of a call without one.
    const seq = this.#nextSeq()
    const turn = this.#turns.take(target)
    const id = options.messageId ?? newMessageId()
    try {
      await this.#slots.run('', async () => {
        const head = await headOf(target, id, options)
        this.#claim(id)
        try {
          if (options.messageId !== undefined) await this.#refuseKnown(id)
          await this.#write(message, { head, seq, turn, copy: options.copy ?? false })
        } finally {
          this.#ids.delete(id)
        }
      })
      return id
    } finally {
      turn.end()
    }
  }

  async #write(message: Message, { head, seq, turn, copy }: Plan): Promise<void> {
    const { maxBytes } = this.#limits
    const maxFrameSize = this.#maxFrameSize ?? defaultMaxFrameSize()
    const content = await compose(message, { copy, maxFrameSize, maxBytes })
    const quota = this.#quota
    async function* payload() {
      let bytes = 0
      for await (const piece of content.payload()) {
        bytes += piece.length
        quota.checkBytes(bytes)
        yield piece
      }
    }
    try {
      await this.#store.add({
        head: { ...head, ...content.head },
        seq,
        payload: payload(),
        beforePublish: async bytes => {
          await turn.ready
          await quota.reserve(bytes)
        },
        onPublished: () => turn.end(),
      })
    } finally {
      await content.close()
    }
  }

  /** Only for an id that the caller chose: a random one is new. */
  async #refuseKnown(id: string): Promise<void> {
    const entries = await this.#quota.recount()
    if (entries.some(entry => entry.id === id)) throw duplicate(id)
  }

  #claim(id: string): void {
    if (this.#ids.has(id)) throw duplicate(id)
    this.#ids.add(id)
  }

  /** The time in µs, and always higher than before, even if the clock goes back. */
  #nextSeq(): number {
    this.#lastSeq = Math.max(Date.now() * 1000, this.#lastSeq + 1)
    return this.#lastSeq
  }
}

/** Entries written at once: enough to share a sync of the folder, few enough for the memory. */
const WRITES_AT_ONCE = 64

interface Plan {
  readonly head: Pick<EntryHead, 'target' | 'messageId' | 'replyTo' | 'addedAt' | 'expiresIn'>
  readonly seq: number
  readonly turn: Turn
  readonly copy: boolean
}

async function headOf(target: string, messageId: string, options: AddOptions): Promise<Plan['head']> {
  const { replyTo, expiresInMs = LIMITS.outboxExpiry.value } = options
  checkMessageId(messageId)
  if (replyTo !== undefined) checkMessageId(replyTo)
  if (!(expiresInMs > 0)) {
    throw new PluginError('CONFIG_INVALID', `expiresInMs is ${expiresInMs}; it must be over zero, in ms`)
  }
  peerKey(target)
  return {
    target,
    messageId,
    ...(replyTo !== undefined && { replyTo }),
    addedAt: Date.now(),
    expiresIn: expiresInMs === Number.POSITIVE_INFINITY ? null : expiresInMs,
  }
}

function duplicate(id: string): OutboxError {
  return new OutboxError('OUTBOX_DUPLICATE', `a message with the id ${id} is in the outbox already`)
}
