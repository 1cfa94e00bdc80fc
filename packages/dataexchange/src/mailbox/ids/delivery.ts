import { createHash } from 'node:crypto'
import type { PublishRecord } from '../../disk/durable-folder.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { type Payload, pieces, watched } from '../payload.ts'
import type { IdLogFile } from './id-log-file.ts'
import type { IdRecord } from './id-record.ts'

/** The identity of a delivery, apart from its bytes `[tagged.same-delivery]`. */
export interface DeliveryIdentity {
  /** The folder to store it in. */
  readonly folder: IdRecord['folder']
  readonly type: string
  readonly from: string
  readonly messageId: string
  readonly replyTo?: string | undefined
  /** The sender's name for the file. Messages have none. */
  readonly filename?: string | undefined
  /** Size of the payload in bytes. */
  readonly length: number
}

/** A stored delivery. */
export interface Stored {
  /** The name of its file. */
  readonly name: string
  readonly from: string
  /** In the time of `performance.now()`. */
  readonly forgetAt: number
  /** The log's file with its record, if there is one. */
  readonly file?: IdLogFile | undefined
}

/** The stored deliveries, as one delivery uses them. See {@link Deliveries}. */
export interface DeliveryMemory {
  /** Resolves with the name of the stored file, or with a function to call when storing has ended. */
  acquire(digest: string): Promise<string | ((stored?: Stored) => void)>
  /** Appends `record` to the log of message ids. */
  append(record: IdRecord, synced: boolean): Promise<IdLogFile>
  /** When a delivery stored now expires, in both clocks. */
  newExpiry(): { expiresAt: number; forgetAt: number }
}

/** A frame with a message id while it is stored. */
export class Delivery implements PublishRecord {
  /** The payload to store. It is hashed as it is read. */
  readonly payload: Payload
  readonly #identity: DeliveryIdentity
  readonly #memory: DeliveryMemory
  readonly #logger: Logger
  readonly #hash = createHash('sha256')
  #payloadSha256: string | undefined
  /** Whether a piece of the payload has been read. */
  #isStarted = false
  #digest: string | undefined
  #firstName: string | undefined
  #end: ((stored?: Stored) => void) | undefined
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
        this.#isStarted = true
        this.#hash.update(piece)
      })
    }
  }

  /** SHA-256 of the payload in hex, once {@link shouldStore} was called. */
  get payloadSha256(): string | undefined {
    return this.#payloadSha256
  }

  /** The file of the earlier delivery, once {@link shouldStore} has resolved with false. */
  get firstName(): string {
    return this.#firstName ?? ''
  }

  /**
   * Whether to store it: false if it is stored already. To be called when the whole payload is there. A concurrent
   * store of the same delivery is awaited.
   */
  async shouldStore(): Promise<boolean> {
    if (this.#digest !== undefined) return this.#firstName === undefined
    this.#payloadSha256 = this.#hash.digest('hex')
    const { from, type, filename, messageId, replyTo } = this.#identity
    const same = [from, type, filename ?? null, messageId, replyTo ?? null, this.#payloadSha256]
    this.#digest = createHash('sha256').update(JSON.stringify(same)).digest('hex')
    const acquired = await this.#memory.acquire(this.#digest)
    if (typeof acquired === 'string') this.#firstName = acquired
    else this.#end = acquired
    return typeof acquired !== 'string'
  }

  /**
   * Whether it is a duplicate, after storing it has failed with `error`: the folder may be full because of the first
   * copy. Reads the rest of the payload to find out, unless the store has read a part of it.
   */
  async wasStoredBefore(error: unknown): Promise<boolean> {
    const isFull = error instanceof MailboxError && FULL.has(error.code)
    if (!isFull || this.#digest !== undefined || this.#isStarted) return false
    if (!(this.payload instanceof Uint8Array))
      for await (const _ of pieces(this.payload, this.#identity.length));
    return !(await this.shouldStore())
  }

  async intent(name: string, inode: number): Promise<void> {
    const { folder, from } = this.#identity
    const expiry = this.#memory.newExpiry()
    const { expiresAt } = expiry
    const digest = this.#digest ?? ''
    const record: IdRecord = { kind: 'about', digest, expiresAt, folder, name, inode, from }
    await this.#replaceEntry({ record, ...expiry, file: await this.#memory.append(record, true) })
  }

  async committed(): Promise<void> {
    const entry = this.#entry
    if (entry === undefined) return
    try {
      const file = await this.#memory.append({ ...entry.record, kind: 'stored' }, false)
      await this.#replaceEntry({ ...entry, file })
    } catch (err) {
      // The first record still counts as long as the file is there.
      this.#logger.warn({ err }, 'a message id could not be recorded')
    }
  }

  /** Storing has ended; `name` if the file is stored. */
  end(name: string | undefined): void {
    const entry = this.#entry
    if (name !== undefined && entry !== undefined) {
      this.#end?.({ name, from: entry.record.from, forgetAt: entry.forgetAt, file: entry.file })
    } else {
      void entry?.file.release()
      this.#end?.()
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
  readonly file: IdLogFile
}

const FULL: ReadonlySet<string> = new Set(['INBOX_FULL', 'RECEIVED_FULL'])
