import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { rfc3339, wallClockNs } from '../../clock.ts'
import type { DurableFolder, NameChoice, Publishable, WriteSource } from '../../disk/durable-folder.ts'
import type { Delivery } from '../ids/delivery.ts'
import { receivedFileName } from '../names.ts'
import { type Payload, pieces, watched, whole } from '../payload.ts'
import type { StoreSlots } from '../store-slots.ts'
import type { ReceivedQuota } from './quota.ts'
import { type FileRecord, FileRecords } from './records.ts'
import type { Reservation } from './reservation.ts'

/** A file to be stored. */
export interface FileInput {
  /** The name that the sender gave; it may be unsafe for the disk. If it is empty, the file is stored as `unnamed`. */
  readonly filename: string
  /** Size of the file in bytes. */
  readonly length: number
  /** The sender's address as text. Deliveries with the same {@link messageId} are duplicates only from one sender. */
  readonly from?: string | undefined
  /** Name of the type of the frame that carried the file. @default FILE */
  readonly type?: string | undefined
  /** The sender's id of the file, if it gave one `[tagged.id-form]`. */
  readonly messageId?: string | undefined
  /** The id of the message that this file answers, if the sender gave one. */
  readonly replyTo?: string | undefined
}

/** A complete file in a hidden subfolder; its content is durable. */
export interface FinishedFile extends Publishable {
  /** SHA-256 of the content, 64 hex digits. */
  readonly sha256: string
  /** Time of the last write, as the file system has it, in ms since the Unix epoch. */
  readonly modifiedMs: number
}

/** A file that is durable and visible. */
export interface StoredFile {
  readonly path: string
  /** Name on the disk `[received.name]`. */
  readonly name: string
  /** Size of the file in bytes. */
  readonly size: number
  /**
   * Whether this delivery was stored before under the same message id `[tagged.duplicate]`. `path` is then the path of the
   * first copy, which may have been removed since.
   */
  readonly duplicate: boolean
  /** True if the file is the archive of a folder and is queued for unpacking: the folder will replace it. */
  readonly unpacking?: boolean
}

/** How {@link Received} is set up. */
export interface ReceivedOptions {
  readonly quota: ReceivedQuota
  /** Shared by the folders of a mailbox. */
  readonly slots: StoreSlots
}

/** The folder of received files: names, stores and publishes them `[received.name]` `[received.bytes]`. */
export class Received {
  readonly #folder: DurableFolder
  readonly #options: ReceivedOptions
  readonly #records: FileRecords
  #seq = 0

  constructor(folder: DurableFolder, options: ReceivedOptions) {
    this.#folder = folder
    this.#options = options
    this.#records = new FileRecords(folder.layout, folder.durable)
  }

  /** The records of the files. */
  get records(): FileRecords {
    return this.#records
  }

  /** Creates the folder of records, and removes records without a file. */
  async load(): Promise<void> {
    await this.#records.make()
    await this.#records.sweep()
  }

  /**
   * Stores a file and resolves with its name, or with undefined if `delivery` is a duplicate. Names have the order of
   * the calls. See `Mailbox.storeFile`.
   */
  store(file: FileInput, payload: Payload, delivery?: Delivery): Promise<string | undefined> {
    const { quota } = this.#options
    const { length, from = '' } = file
    let reservation: Reservation | undefined
    const write = async (choice: NameChoice, receivedAt: string) => {
      // A duplicate that is in memory needs no quota.
      const isWhole = payload instanceof Uint8Array
      if (isWhole && delivery !== undefined && !(await delivery.shouldStore())) return undefined
      reservation = await quota.open(from, length)
      return this.#write(choice, payload, { ...file, receivedAt }, { delivery, reservation })
    }
    return this.#named(file, write).finally(() => reservation?.release())
  }

  /**
   * Publishes a complete file with its record, and removes its name in the hidden subfolder. The caller reserves the
   * quota. Resolves when the file and its record are durable; if it rejects, neither is visible.
   */
  async publish(file: FileInput, finished: FinishedFile): Promise<StoredFile> {
    const write = async (choice: NameChoice, receivedAt: string) => {
      const record = recordOf({ ...file, receivedAt }, finished.sha256)
      const sidecar = await this.#records.write(record, finished.modifiedMs)
      await this.#folder.publish(choice, finished, sidecar)
      return file.length
    }
    const name = (await this.#named(file, write)) ?? ''
    return { path: join(this.#folder.layout.dir, name), name, size: file.length, duplicate: false }
  }

  /** Chooses a name for a file, runs `write`, and counts the file. */
  async #named(
    { filename }: FileInput,
    write: (choice: NameChoice, receivedAt: string) => Promise<number | undefined>,
  ): Promise<string | undefined> {
    const atNs = wallClockNs()
    const { index } = this.#options.quota
    const claim = index.reserveName(() => receivedFileName(filename, atNs, ++this.#seq))
    try {
      const size = await write(claim, rfc3339(atNs))
      if (size === undefined) return undefined
      index.add(claim.name, size)
    } finally {
      claim.release()
    }
    return claim.name
  }

  async #write(
    choice: NameChoice,
    payload: Payload,
    file: FileFacts,
    { delivery, reservation }: Writing,
  ): Promise<number | undefined> {
    const { quota, slots } = this.#options
    const { from = '', length } = file
    if (payload instanceof Uint8Array) {
      const bytes = whole(payload, length)
      await quota.grow(reservation, length)
      const content = async function* () {
        yield bytes
      }
      const source = { ...this.#source(file, content, delivery), repeatable: true }
      return slots.inMemory(from, () => this.#folder.write(choice, source))
    }
    const content = async function* () {
      for await (const piece of pieces(payload, length)) {
        await quota.grow(reservation, piece.length)
        yield piece
      }
    }
    const source = { ...this.#source(file, content, delivery), repeatable: false }
    return slots.streamed(from, () => this.#folder.write(choice, source))
  }

  #source(
    file: FileFacts,
    content: () => AsyncIterable<Uint8Array>,
    delivery: Delivery | undefined,
  ): Omit<WriteSource, 'repeatable'> {
    let hash = createHash('sha256')
    return {
      fill: temporary => {
        hash = createHash('sha256')
        // A delivery hashes the payload itself.
        const update = (piece: Uint8Array) => hash.update(piece)
        return temporary.writeAll(delivery === undefined ? watched(content(), update) : content())
      },
      sidecar: temporary => {
        const sha256 = delivery?.payloadSha256 ?? hash.digest('hex')
        return this.#records.write(recordOf(file, sha256), temporary.modifiedMs)
      },
      record: delivery,
    }
  }
}

type FileFacts = FileInput & { readonly receivedAt: string }

function recordOf(file: FileFacts, sha256: string): FileRecord {
  const { filename: originalName, length: size, type = 'FILE', receivedAt, from, messageId, replyTo } = file
  return {
    ...(from !== undefined && { from }),
    originalName,
    size,
    sha256,
    type,
    receivedAt,
    ...(messageId !== undefined && { messageId }),
    ...(replyTo !== undefined && { replyTo }),
  }
}

/** Context of one file that is being written. */
interface Writing {
  readonly delivery: Delivery | undefined
  readonly reservation: Reservation
}
