import { Semaphore } from '../../async/semaphore.ts'
import { concat } from '../../bytes.ts'
import { rfc3339, wallClockNs } from '../../clock.ts'
import type { DurableFolder, NameChoice } from '../../disk/durable-folder.ts'
import type { TemporaryFile } from '../../disk/temporary-file.ts'
import { MailboxError } from '../../errors.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'
import type { Delivery } from '../ids/delivery.ts'
import { messageFileName } from '../names.ts'
import { chunks, gathered, type Payload, pieces, watched, whole } from '../payload.ts'
import type { StoreSlots } from '../store-slots.ts'
import { ByteShare } from './byte-share.ts'
import { JournaledWriter, MAX_JOURNALED_SIZE } from './journaled-writer.ts'
import {
  isSmall,
  layoutMessage,
  type MessageLayout,
  type MessageRecord,
  PayloadScan,
  payloadFacts,
  renderMessage,
  streamMessage,
} from './message-json.ts'
import { type InboxLimits, InboxQuota } from './quota.ts'

/** Large messages that are written as JSON at once, half of them for one peer; others wait. @limit count */
export const LARGE_MESSAGES = 4

/** A message to store. */
export interface MessageInput {
  /** The name of the frame's type: `TEXT`, `BINARY`, ... */
  readonly type: string
  /** The sender's address, as text. */
  readonly from: string
  /** Size of the payload in bytes. */
  readonly length: number
  /** The sender's id of the message. @default none: the message is stored however often it comes */
  readonly messageId?: string | undefined
  /** The id of the message that this one answers. @default none */
  readonly replyTo?: string | undefined
}

/** A stored message: durable, complete and visible. */
export interface StoredMessage {
  /** Path of the JSON file. */
  readonly path: string
  /** Size of the payload in bytes. */
  readonly size: number
  /** True if the delivery was stored before, by its message id. `path` is that of the first copy, which may be gone. */
  readonly duplicate: boolean
}

/** The configuration of an {@link Inbox}. */
export interface InboxOptions {
  readonly includeBase64: boolean
  /** Whether files and folders are synced. */
  readonly durable: boolean
  readonly limits: InboxLimits
  /** Shared by both folders of the mailbox. */
  readonly slots: StoreSlots
  readonly logger: Logger
}

/**
 * The folder of messages: one JSON object in each file `[inbox.object]`.
 *
 * A payload that is in memory, or fits there, becomes JSON in memory. JSON up to 128 KiB takes the fast path
 * (JournaledWriter), larger JSON the slow path (DurableFolder). A payload that arrives in pieces and does not fit in
 * memory is spooled to a temporary file first: its form in `data` depends on its last byte.
 */
export class Inbox {
  readonly #folder: DurableFolder
  readonly #options: InboxOptions
  readonly #fastPath: JournaledWriter
  readonly #quota: InboxQuota
  /** Memory for small messages that arrive in pieces. */
  readonly #gathered = new ByteShare(FIXED_LIMITS.gatheredBytes.value, GATHERERS)
  /** Disk space for other payloads that arrive in pieces. */
  readonly #spool: ByteShare
  /** Few spooled payloads become JSON at once: that takes up to six times their space. */
  readonly #finishing = new Semaphore(LARGE_MESSAGES, Math.ceil(LARGE_MESSAGES / SENDERS))
  #seq = 0

  constructor(folder: DurableFolder, options: InboxOptions) {
    this.#folder = folder
    this.#options = options
    this.#fastPath = new JournaledWriter(folder.layout, options.durable, options.logger)
    this.#quota = new InboxQuota(folder.layout.dir, options.limits, options.logger)
    // The largest message must fit, too.
    this.#spool = new ByteShare(
      Math.max(options.limits.maxBytes * SENDERS, FIXED_LIMITS.spooledBytes.value),
      SENDERS,
    )
  }

  /** Recovers messages that a power cut has taken, and counts the messages. */
  async load(): Promise<void> {
    await this.#fastPath.recover()
    await this.#quota.refresh()
  }

  /** Whether {@link load} has restored the message `name`, perhaps with another inode. */
  hasRestored(name: string): boolean {
    return this.#fastPath.hasRestored(name)
  }

  /** Ends the recovery: {@link hasRestored} is not needed any more. */
  loaded(): void {
    this.#fastPath.forgetRecovered()
  }

  /** Checkpoints the journal, for a short time at most: the next start does the rest. */
  close(): Promise<void> {
    return this.#fastPath.close()
  }

  /**
   * Stores a message. Resolves with the name of its file, or with undefined if `delivery` is a duplicate. Names are in
   * the order of the calls. See `Mailbox.storeMessage`.
   */
  async store(message: MessageInput, payload: Payload, delivery?: Delivery): Promise<string | undefined> {
    this.#checkFits(message.length)
    const atNs = wallClockNs()
    const choice = this.#quota.claim(() => messageFileName(message.type, atNs, ++this.#seq))
    try {
      const record = { ...message, receivedAt: rfc3339(atNs) }
      if (!(await this.#store({ choice, record, delivery }, payload))) return undefined
    } finally {
      choice.release()
    }
    await this.#quota.enforce()
    return choice.name
  }

  /** False if it is a duplicate. */
  async #store(storing: Storing, payload: Payload): Promise<boolean> {
    const { from, length } = storing.record
    if (payload instanceof Uint8Array) return this.#storeWhole(storing, whole(payload, length))
    if (!isSmall(length) || !this.#gathered.acquire(from, length)) {
      const spooled = () => this.#storeSpooled(storing, pieces(payload, length))
      return this.#options.slots.streamed(from, spooled)
    }
    try {
      return await this.#storeWhole(storing, await gathered(payload, length))
    } finally {
      this.#gathered.release(from, length)
    }
  }

  async #storeWhole(storing: Storing, payload: Uint8Array): Promise<boolean> {
    const { slots } = this.#options
    const { delivery } = storing
    if (delivery !== undefined && !(await delivery.shouldStore())) return false
    const { from } = storing.record
    const layout = this.#layout(storing.record, payloadFacts(payload))
    // The JSON is rendered when the store has its slot: until then only the payload takes memory.
    const onFastPath = () => this.#writeJournaled(storing, layout, payload)
    if (layout.size <= MAX_JOURNALED_SIZE && (await slots.journaled(from, onFastPath))) return true
    await slots.inMemory(from, () => this.#write(storing, layout, file => writeWhole(file, layout, payload)))
    return true
  }

  /** False if the fast path did not store it. */
  async #writeJournaled(
    { choice, record, delivery }: Storing,
    layout: MessageLayout,
    payload: Uint8Array,
  ): Promise<boolean> {
    const endReservation = await this.#quota.reserve(record.from, layout.size)
    try {
      // While the folder is created again it is not durable, and neither is a file in it.
      if (this.#folder.isBeingMade) return false
      const render = () => concat(renderMessage(layout, payload))
      if (!(await this.#fastPath.write(choice, render, delivery))) return false
      this.#quota.added(choice.name, layout.size, record.from)
      return true
    } finally {
      endReservation()
    }
  }

  /**
   * Writes the payload to a temporary file first, then into the JSON, since the form of `data` depends on the last
   * byte. Resolves with false if it is a duplicate.
   */
  async #storeSpooled(storing: Storing, payload: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { from } = storing.record
    const spool = await this.#folder.createTemporary()
    let spooled = 0
    try {
      const scan = new PayloadScan()
      const inspect = (piece: Uint8Array) => {
        if (!this.#spool.acquire(from, piece.length)) throw new MailboxError('INBOX_FULL', SPOOL_FULL)
        spooled += piece.length
        scan.push(piece)
      }
      await spool.writeAll(watched(payload, inspect))
      // A duplicate must not evict other messages, so this comes before the reservation.
      if (storing.delivery !== undefined && !(await storing.delivery.shouldStore())) return false
      if (isSmall(spool.size)) {
        await this.#options.slots.inMemory(from, () => this.#storeReadBack(storing, spool))
        return true
      }
      const layout = this.#layout(storing.record, scan.facts)
      const fill = (file: TemporaryFile) => writeStreamed(file, layout, () => spool.read(CHUNK_SIZE))
      await this.#finishing.run(from, () => this.#write(storing, layout, fill))
      return true
    } finally {
      await spool.discard()
      this.#spool.release(from, spooled)
    }
  }

  /** A small payload is laid out whole, so it is read back into memory. */
  async #storeReadBack(storing: Storing, spool: TemporaryFile): Promise<void> {
    const payload = await spool.readAll()
    const layout = this.#layout(storing.record, payloadFacts(payload))
    await this.#write(storing, layout, file => writeWhole(file, layout, payload))
  }

  async #write(
    { choice, record, delivery }: Storing,
    layout: MessageLayout,
    fill: (file: TemporaryFile) => Promise<void>,
  ): Promise<void> {
    const endReservation = await this.#quota.reserve(record.from, layout.size)
    try {
      const size = await this.#folder.write(choice, { fill, repeatable: true, record: delivery })
      if (size !== undefined) this.#quota.added(choice.name, size, record.from)
    } finally {
      endReservation()
    }
  }

  #layout(record: MessageRecord, facts: Parameters<typeof layoutMessage>[1]): MessageLayout {
    const layout = layoutMessage(record, facts, this.#options.includeBase64)
    this.#checkFits(layout.size)
    return layout
  }

  #checkFits(bytes: number): void {
    const { maxBytes, share } = this.#options.limits
    if (bytes <= maxBytes * share) return
    const limit = share === 1 ? `${maxBytes}` : `${maxBytes * share} for one sender`
    throw new MailboxError(
      'INBOX_FULL',
      `the message takes ${bytes} bytes; the limit of the inbox is ${limit} (inboxMaxBytes, inboxShare)`,
    )
  }
}

interface Storing {
  readonly choice: NameChoice
  readonly record: MessageInput & MessageRecord
  readonly delivery: Delivery | undefined
}

/** One sender can take half of the spool, and of the slots of large messages. */
const SENDERS = 2
const SPOOL_FULL =
  'too many bytes of large messages are arriving at once, from this sender or from all senders'
/** One sender can take a quarter of the memory for small messages in pieces. */
const GATHERERS = 4
/** A multiple of three, as base64 needs it. */
const CHUNK_SIZE = 192 * 1024

/** JSON up to this size is rendered at once, larger JSON in pieces. */
const MAX_RENDERED_SIZE = 2 * FIXED_LIMITS.wholeFrame.value

async function writeWhole(file: TemporaryFile, layout: MessageLayout, payload: Uint8Array): Promise<void> {
  if (layout.size <= MAX_RENDERED_SIZE) await file.write(renderMessage(layout, payload))
  else await writeStreamed(file, layout, () => chunks(payload, CHUNK_SIZE))
}

async function writeStreamed(
  file: TemporaryFile,
  layout: MessageLayout,
  source: () => AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const piece of streamMessage(layout, source)) await file.write([piece])
}
