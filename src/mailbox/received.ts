import { wallClockNs } from '../clock.ts'
import { MailboxError } from '../errors.ts'
import { coalesce } from './coalesce.ts'
import type { Delivery } from './delivery.ts'
import type { DurableFolder, NameChoice } from './durable-write.ts'
import { FolderIndex } from './folder-index.ts'
import { receivedFileName } from './names.ts'
import { type Payload, pieces, whole } from './payload.ts'
import type { Semaphore } from './semaphore.ts'

/** A file to be stored. */
export interface FileInput {
  /** The name the sender gave; empty for `unnamed`. It need not be safe. */
  readonly filename: string
  /** Bytes of the file. */
  readonly length: number
  /** The sender's address, as text; with {@link messageId} it is part of what makes two deliveries the same. */
  readonly from?: string
  /** The sender's id of the file, where it gave one. */
  readonly messageId?: string
  /** The id that this file answers, where the sender gave one. */
  readonly replyTo?: string
}

/** A file that is durable and visible. */
export interface StoredFile {
  readonly path: string
  /** Its name on the disk. */
  readonly name: string
  /** Bytes of the file. */
  readonly bytes: number
  /** True where this delivery was stored before, by its message id: `path` is that of the first copy, which may be gone. */
  readonly duplicate: boolean
}

/** How {@link Received} is set up. */
export interface ReceivedOptions {
  readonly maxBytes: number
  /** Shared by all small stores of a mailbox. */
  readonly slots: Semaphore
}

/** The folder of received files (section 3). */
export class Received {
  readonly #folder: DurableFolder
  readonly #options: ReceivedOptions
  readonly #index: FolderIndex
  readonly #refresh: () => Promise<unknown>
  /** Declared sizes of the files that are being written. */
  #reserved = 0
  #seq = 0

  constructor(folder: DurableFolder, options: ReceivedOptions) {
    this.#folder = folder
    this.#options = options
    const index = new FolderIndex(folder.layout.dir, () => true)
    this.#index = index
    this.#refresh = coalesce(() => index.refresh())
  }

  /** Counts what is there. */
  async load(): Promise<void> {
    await this.#refresh()
  }

  /**
   * Resolves with the name of the file, or with undefined where `delivery` says that it was stored before. Names
   * are given in the order of the calls. See `Mailbox.storeFile`.
   */
  async store(
    { filename, length }: FileInput,
    payload: Payload,
    delivery?: Delivery,
  ): Promise<string | undefined> {
    const atNs = wallClockNs()
    const claim = this.#index.claim(() => receivedFileName(filename, atNs, ++this.#seq))
    try {
      // What is whole is known before it needs room.
      const isWhole = payload instanceof Uint8Array
      if (isWhole && delivery !== undefined && !(await delivery.confirm())) return undefined
      await this.#reserve(length)
      try {
        const size = await this.#write(claim, payload, { length, record: delivery })
        if (size === undefined) return undefined
        this.#index.add(claim.name, size)
      } finally {
        this.#reserved -= length
      }
    } finally {
      claim.release()
    }
    return claim.name
  }

  async #write(
    choice: NameChoice,
    payload: Payload,
    { length, record }: { length: number; record: Delivery | undefined },
  ): Promise<number | undefined> {
    if (payload instanceof Uint8Array) {
      const bytes = await whole(payload, length)
      return this.#options.slots.run(() =>
        this.#folder.write(choice, { fill: file => file.write([bytes]), repeatable: true, record }),
      )
    }
    // No slot: a sender who dribbles would keep it from the others.
    return this.#folder.write(choice, {
      fill: async file => {
        for await (const piece of pieces(payload, length)) await file.write([piece])
      },
      repeatable: false,
      record,
    })
  }

  async #reserve(length: number): Promise<void> {
    // Other programs take files out of the folder: nothing is refused before looking again.
    if (!this.#fits(length) && length <= this.#options.maxBytes) await this.#refresh()
    if (!this.#fits(length)) {
      throw new MailboxError(
        'RECEIVED_FULL',
        `a file of ${length} bytes does not fit: the received folder holds ${this.#index.bytes}, ` +
          `${this.#reserved} are being written, and ${this.#options.maxBytes} are allowed (receivedMaxBytes)`,
      )
    }
    this.#reserved += length
  }

  #fits(length: number): boolean {
    return this.#index.bytes + this.#reserved + length <= this.#options.maxBytes
  }
}
