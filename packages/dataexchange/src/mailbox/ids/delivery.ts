import { createHash } from 'node:crypto'
import type { PublishRecord } from '../../disk/durable-folder.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { type Payload, pieces, watched } from '../payload.ts'
import type { IdRecord, JournalFile } from './id-journal.ts'

/** What is the same in two deliveries that are one, apart from their bytes (section 5). */
export interface DeliveryIdentity {
  /** Where it is to be stored. */
  readonly folder: IdRecord['folder']
  readonly type: string
  readonly from: string
  readonly messageId: string
  readonly replyTo?: string | undefined
  /** For files. */
  readonly filename?: string | undefined
  /** Bytes of the payload. */
  readonly length: number
}

/** A delivery that is stored. */
export interface Stored {
  /** Name of its file. */
  readonly name: string
  readonly from: string
  /** On the clock of `performance.now()`. */
  readonly forgetAt: number
  /** Holds its record; undefined where there is none. */
  readonly file?: JournalFile | undefined
}

/** The memory of stored deliveries, as one delivery uses it. */
export interface DeliveryMemory {
  /** Waits for a delivery of the same digest under way. The name of the stored file, or the function that ends the claim. */
  claim(digest: string): Promise<string | ((stored?: Stored) => void)>
  /** Appends `record` to the journal. */
  append(record: IdRecord, synced: boolean): Promise<JournalFile>
  /** The times at which a delivery that is stored now is forgotten. */
  newExpiry(): { expiresAt: number; forgetAt: number }
}

/** One frame with a message id on its way into a folder. */
export class Delivery implements PublishRecord {
  /** What to store: the frame's payload, whose hash is taken on its way. */
  readonly payload: Payload
  readonly #identity: DeliveryIdentity
  readonly #memory: DeliveryMemory
  readonly #logger: Logger
  readonly #hash = createHash('sha256')
  #payloadSha256: string | undefined
  /** Whether a piece of the payload has been taken. */
  #isBegun = false
  #digest: string | undefined
  #firstName: string | undefined
  #settle: ((stored?: Stored) => void) | undefined
  #entry: Entry | undefined

  constructor(identity: DeliveryIdentity, payload: Payload, memory: DeliveryMemory, logger: Logger) {
    this.#identity = identity
    this.#memory = memory
    this.#logger = logger
    if (payload instanceof Uint8Array) {
      this.#hash.update(payload)
      this.payload = payload
    } else {
      this.payload = watched(payload, piece => {
        this.#isBegun = true
        this.#hash.update(piece)
      })
    }
  }

  /** Of the payload alone, once {@link confirm} has been asked: 64 hex digits. */
  get payloadSha256(): string | undefined {
    return this.#payloadSha256
  }

  /** The file of the earlier delivery, once {@link confirm} has said no. */
  get firstName(): string {
    return this.#firstName ?? ''
  }

  /**
   * To be asked when all of the payload is there: false where it is stored already. One that is just being
   * stored is waited for.
   */
  async confirm(): Promise<boolean> {
    if (this.#digest !== undefined) return this.#firstName === undefined
    this.#payloadSha256 = this.#hash.digest('hex')
    const { from, type, filename, messageId, replyTo } = this.#identity
    const same = [from, type, filename ?? null, messageId, replyTo ?? null, this.#payloadSha256]
    this.#digest = createHash('sha256').update(JSON.stringify(same)).digest('hex')
    const claim = await this.#memory.claim(this.#digest)
    if (typeof claim === 'string') this.#firstName = claim
    else this.#settle = claim
    return typeof claim !== 'string'
  }

  /**
   * Whether it was stored before, although `error` has kept it from being stored now: a folder may be full
   * because of the first copy. A payload that was begun is closed by then, and can tell no more.
   */
  async wasStoredBefore(error: unknown): Promise<boolean> {
    const isFull = error instanceof MailboxError && FULL.has(error.code)
    if (!isFull || this.#digest !== undefined || this.#isBegun) return false
    if (!(this.payload instanceof Uint8Array))
      for await (const _ of pieces(this.payload, this.#identity.length));
    return !(await this.confirm())
  }

  async about(name: string, inode: number): Promise<void> {
    const { folder, from } = this.#identity
    const expiry = this.#memory.newExpiry()
    const { expiresAt } = expiry
    const digest = this.#digest ?? ''
    const record: IdRecord = { kind: 'about', digest, expiresAt, folder, name, inode, from }
    await this.#replaceEntry({ record, ...expiry, file: await this.#memory.append(record, true) })
  }

  async published(): Promise<void> {
    const entry = this.#entry
    if (entry === undefined) return
    try {
      const file = await this.#memory.append({ ...entry.record, kind: 'stored' }, false)
      await this.#replaceEntry({ ...entry, file })
    } catch (err) {
      // The first record counts as long as the file is there.
      this.#logger.warn({ err }, 'a message id could not be recorded')
    }
  }

  /** It is over; `name` where it is stored now. */
  end(name: string | undefined): void {
    const entry = this.#entry
    if (name !== undefined && entry !== undefined) {
      this.#settle?.({ name, from: entry.record.from, forgetAt: entry.forgetAt, file: entry.file })
    } else {
      void entry?.file.release()
      this.#settle?.()
    }
  }

  async #replaceEntry(entry: Entry): Promise<void> {
    const before = this.#entry
    this.#entry = entry
    await before?.file.release()
  }
}

interface Entry {
  readonly record: IdRecord
  readonly forgetAt: number
  readonly file: JournalFile
}

const FULL: ReadonlySet<string> = new Set(['INBOX_FULL', 'RECEIVED_FULL'])
