import { Semaphore } from '../../async/semaphore.ts'
import { concat } from '../../bytes.ts'
import { rfc3339, wallClockNs } from '../../clock.ts'
import type { DurableFolder, NameChoice } from '../../disk/durable-folder.ts'
import type { TemporaryFile } from '../../disk/temporary-file.ts'
import { MailboxError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'
import type { Delivery } from '../ids/delivery.ts'
import { messageFileName } from '../names.ts'
import { chunks, gathered, type Payload, pieces, watched, whole } from '../payload.ts'
import type { Stores } from '../store-slots.ts'
import { SharedRoom } from './byte-share.ts'
import { SmallWriter } from './journaled-writer.ts'
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

/** A message to be stored. */
export interface MessageInput {
  /** The NAME of the frame's type: `TEXT`, `BINARY`, ... */
  readonly type: string
  /** The sender's address, as text. */
  readonly from: string
  /** Bytes of the payload. */
  readonly length: number
  /** The sender's id of the message, where it gave one. */
  readonly messageId?: string
  /** The id that this message answers, where the sender gave one. */
  readonly replyTo?: string
}

/** A message that is durable and visible. */
export interface StoredMessage {
  /** Of the JSON file. */
  readonly path: string
  /** Bytes of the payload. */
  readonly bytes: number
  /** True where this delivery was stored before, by its message id: `path` is that of the first copy, which may be gone. */
  readonly duplicate: boolean
}

/** How an {@link Inbox} is set up. */
export interface InboxOptions {
  readonly includeBase64: boolean
  /** Whether messages are synced. */
  readonly durable: boolean
  readonly limits: InboxLimits
  /** Shared by the folders of a mailbox. */
  readonly stores: Stores
  readonly logger: Logger
}

/** The folder of messages: one JSON object a file (section 3). */
export class Inbox {
  readonly #folder: DurableFolder
  readonly #options: InboxOptions
  readonly #small: SmallWriter
  readonly #quota: InboxQuota
  /** In memory, for small messages that come in pieces. */
  readonly #gathered = new SharedRoom(LIMITS.gatheredBytes.value, GATHERERS)
  /** On the disk, for what else comes in pieces and is no message yet. */
  readonly #spool: SharedRoom
  /** What becomes of them takes up to six times as much of the disk: few at once. */
  readonly #finishing = new Semaphore(
    LIMITS.largeMessages.value,
    Math.ceil(LIMITS.largeMessages.value / SENDERS),
  )
  #seq = 0

  constructor(folder: DurableFolder, options: InboxOptions) {
    this.#folder = folder
    this.#options = options
    this.#small = new SmallWriter(folder.layout, options.durable, options.logger)
    this.#quota = new InboxQuota(folder.layout.dir, options.limits, options.logger)
    // The largest message must find room, too.
    this.#spool = new SharedRoom(
      Math.max(options.limits.maxBytes * SENDERS, LIMITS.spooledBytes.value),
      SENDERS,
    )
  }

  /** Writes again what a power cut has taken, and counts what is there. */
  async load(): Promise<void> {
    await this.#small.recover()
    await this.#quota.refresh()
  }

  /** Whether {@link load} has seen to it that the message `name` is there; it may have another inode then. */
  hasRestored(name: string): boolean {
    return this.#small.hasRestored(name)
  }

  /** Whoever asks {@link hasRestored} has what it needs on record. */
  loaded(): void {
    this.#small.forgetRecovered()
  }

  /** Nothing is to be stored any more; resolves soon, also where that leaves the next start something to do. */
  close(): Promise<void> {
    return this.#small.close()
  }

  /**
   * Resolves with the name of the file, or with undefined where `delivery` says that it was stored before. Names
   * are given in the order of the calls. See `Mailbox.storeMessage`.
   */
  async store(message: MessageInput, payload: Payload, delivery?: Delivery): Promise<string | undefined> {
    this.#checkFits(message.length)
    const atNs = wallClockNs()
    const claim = this.#quota.claim(() => messageFileName(message.type, atNs, ++this.#seq))
    try {
      const record = { ...message, receivedAt: rfc3339(atNs) }
      if (!(await this.#store({ choice: claim, record, delivery }, payload))) return undefined
    } finally {
      claim.release()
    }
    await this.#quota.enforce()
    return claim.name
  }

  /** False where it was stored before. */
  async #store(storing: Storing, payload: Payload): Promise<boolean> {
    const { from, length } = storing.record
    if (payload instanceof Uint8Array) return this.#storeWhole(storing, whole(payload, length))
    const isGathered = isSmall(length) && (await this.#gathered.takeIn(LIMITS.gatherWait.value, from, length))
    if (!isGathered) {
      const spooled = () => this.#storeSpooled(storing, pieces(payload, length))
      return this.#options.stores.streamed(from, spooled)
    }
    try {
      return await this.#storeWhole(storing, await gathered(payload, length))
    } finally {
      this.#gathered.giveBack(from, length)
    }
  }

  async #storeWhole(storing: Storing, payload: Uint8Array): Promise<boolean> {
    const { stores } = this.#options
    const { delivery } = storing
    if (delivery !== undefined && !(await delivery.confirm())) return false
    const { from } = storing.record
    const layout = this.#layout(storing.record, payloadFacts(payload))
    // Not rendered before it has its turn: of those that wait, only the payload is held.
    const quickly = () => this.#writeQuickly(storing, layout, payload)
    if (this.#small.takes(layout.size) && (await stores.quick(from, quickly))) return true
    await stores.small(from, () => this.#write(storing, layout, file => writeWhole(file, layout, payload)))
    return true
  }

  /** Whether it could be written in the short way. */
  async #writeQuickly(
    { choice, record, delivery }: Storing,
    layout: MessageLayout,
    payload: Uint8Array,
  ): Promise<boolean> {
    const giveBack = await this.#quota.reserve(record.from, layout.size)
    try {
      // Another store may just be making it again; until that is durable, nothing in it is.
      if (this.#folder.isBeingMade || !this.#small.takes(layout.size)) return false
      const bytes = concat(renderMessage(layout, payload))
      if (!(await this.#small.write(choice, bytes, delivery))) return false
      await this.#folder.retract()
      this.#quota.added(choice.name, bytes.length, record.from)
      return true
    } finally {
      giveBack()
    }
  }

  /**
   * How `data` looks depends on the last byte: the payload goes to the disk first, then into the JSON. Resolves
   * with false where it was stored before.
   */
  async #storeSpooled(storing: Storing, payload: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { from } = storing.record
    const spool = await this.#folder.createTemporary()
    let counted = 0
    try {
      const scan = new PayloadScan()
      const look = (piece: Uint8Array) => {
        if (!this.#spool.take(from, piece.length)) throw new MailboxError('INBOX_FULL', SPOOL_FULL)
        counted += piece.length
        scan.push(piece)
      }
      await spool.writeAll(watched(payload, look))
      // Before room is made for it.
      if (storing.delivery !== undefined && !(await storing.delivery.confirm())) return false
      if (isSmall(spool.size)) {
        await this.#options.stores.small(from, () => this.#storeReadBack(storing, spool))
        return true
      }
      const layout = this.#layout(storing.record, scan.facts)
      const fill = (file: TemporaryFile) => writeStreamed(file, layout, () => spool.read(CHUNK_SIZE))
      await this.#finishing.run(from, () => this.#write(storing, layout, fill))
      return true
    } finally {
      await spool.discard()
      this.#spool.giveBack(from, counted)
    }
  }

  /** A small one is needed whole to be laid out; it has a slot of those that are in memory. */
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
    const giveBack = await this.#quota.reserve(record.from, layout.size)
    try {
      const size = await this.#folder.write(choice, { fill, repeatable: true, record: delivery })
      if (size !== undefined) this.#quota.added(choice.name, size, record.from)
    } finally {
      giveBack()
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
    const most = share === 1 ? `${maxBytes} in all` : `${maxBytes * share} of one sender`
    throw new MailboxError(
      'INBOX_FULL',
      `the message takes ${bytes} bytes; the inbox may hold ${most} (inboxMaxBytes, inboxShare)`,
    )
  }
}

interface Storing {
  readonly choice: NameChoice
  readonly record: MessageInput & MessageRecord
  readonly delivery: Delivery | undefined
}

/** So many senders at least share the spool, and the turns of large messages. */
const SENDERS = 2
const SPOOL_FULL = 'too much of large messages is arriving at once, from this sender or from all together'
/** So many senders at least share the memory for small messages in pieces. */
const GATHERERS = 4
/** A multiple of three, as base64 needs it. */
const CHUNK_SIZE = 192 * 1024

/** Bytes of JSON that are written at once; of more, a piece at a time is held. */
const MOST_RENDERED = 2 * LIMITS.wholeFrame.value

async function writeWhole(file: TemporaryFile, layout: MessageLayout, payload: Uint8Array): Promise<void> {
  if (layout.size <= MOST_RENDERED) await file.write(renderMessage(layout, payload))
  else await writeStreamed(file, layout, () => chunks(payload, CHUNK_SIZE))
}

async function writeStreamed(
  file: TemporaryFile,
  layout: MessageLayout,
  source: () => AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const piece of streamMessage(layout, source)) await file.write([piece])
}
