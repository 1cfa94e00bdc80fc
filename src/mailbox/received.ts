import { join } from 'node:path'
import { wallClockNs } from '../clock.ts'
import { MailboxError } from '../errors.ts'
import { coalesce } from './coalesce.ts'
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
}

/** A file that is durable and visible. */
export interface StoredFile {
  readonly path: string
  /** Its name on the disk. */
  readonly name: string
  /** Bytes of the file. */
  readonly bytes: number
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

  /** Names are given in the order of the calls. See `Mailbox.storeFile`. */
  async store({ filename, length }: FileInput, payload: Payload): Promise<StoredFile> {
    const atNs = wallClockNs()
    const claim = this.#index.claim(() => receivedFileName(filename, atNs, ++this.#seq))
    try {
      await this.#reserve(length)
      try {
        await this.#write(claim, payload, length)
        this.#index.add(claim.name, length)
      } finally {
        this.#reserved -= length
      }
    } finally {
      claim.release()
    }
    return { path: join(this.#folder.layout.dir, claim.name), name: claim.name, bytes: length }
  }

  async #write(choice: NameChoice, payload: Payload, length: number): Promise<void> {
    if (payload instanceof Uint8Array) {
      const bytes = await whole(payload, length)
      await this.#options.slots.run(() =>
        this.#folder.write(choice, { fill: file => file.write([bytes]), repeatable: true }),
      )
      return
    }
    // No slot: a sender who dribbles would keep it from the others.
    await this.#folder.write(choice, {
      fill: async file => {
        for await (const piece of pieces(payload, length)) await file.write([piece])
      },
      repeatable: false,
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
