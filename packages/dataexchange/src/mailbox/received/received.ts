import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { rfc3339, wallClockNs } from '../../clock.ts'
import type { DurableFolder, NameChoice, Publishable, WriteSource } from '../../disk/durable-folder.ts'
import type { Delivery } from '../ids/delivery.ts'
import { receivedFileName } from '../names.ts'
import { type Payload, pieces, watched, whole } from '../payload.ts'
import type { StoreSlots } from '../store-slots.ts'
import type { ReceivedRoom } from './quota.ts'
import { type FileRecord, FileRecords } from './records.ts'
import type { Reservation } from './reservation.ts'

/** A file to be stored. */
export interface FileInput {
  /** The name the sender gave; empty for `unnamed`. It need not be safe. */
  readonly filename: string
  /** Bytes of the file. */
  readonly length: number
  /** The sender's address, as text; with {@link messageId} it is part of what makes two deliveries the same. */
  readonly from?: string | undefined
  /** The NAME of the type of the frame that it came in. @default FILE */
  readonly type?: string | undefined
  /** The sender's id of the file, where it gave one. */
  readonly messageId?: string | undefined
  /** The id that this file answers, where the sender gave one. */
  readonly replyTo?: string | undefined
}

/** A whole file, whose content is durable, under a name that nobody reads. */
export interface FinishedFile extends Publishable {
  /** Of its content, 64 hex digits. */
  readonly sha256: string
  /** When it was last written, by the file system: ms since the Unix epoch. */
  readonly modifiedMs: number
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
  /** True where it is a folder’s archive that is being unpacked: a folder without the `.tar` takes its place soon. */
  readonly unpacking?: boolean
}

/** How {@link Received} is set up. */
export interface ReceivedOptions {
  readonly room: ReceivedRoom
  /** Shared by the folders of a mailbox. */
  readonly slots: StoreSlots
}

/** The folder of received files (section 3). */
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

  /** Beside the files. */
  get records(): FileRecords {
    return this.#records
  }

  /** Makes the folder of records, and removes those that are nobody's. */
  async load(): Promise<void> {
    await this.#records.make()
    await this.#records.sweep()
  }

  /**
   * Resolves with the name of the file, or with undefined where `delivery` says that it was stored before. Names
   * are given in the order of the calls. See `Mailbox.storeFile`.
   */
  store(file: FileInput, payload: Payload, delivery?: Delivery): Promise<string | undefined> {
    const { room } = this.#options
    const { length, from = '' } = file
    let reservation: Reservation | undefined
    const write = async (claim: NameChoice, receivedAt: string) => {
      // What is whole is known before it needs room.
      const isWhole = payload instanceof Uint8Array
      if (isWhole && delivery !== undefined && !(await delivery.confirm())) return undefined
      reservation = await room.open(from, length)
      return this.#write(claim, payload, { ...file, receivedAt }, { delivery, reservation })
    }
    return this.#named(file, write).finally(() => reservation?.release())
  }

  /**
   * Publishes a file that lies whole and durable in a hidden subfolder, with its record, and discards its own
   * name. Its room is the caller's to reserve. Resolves when the file and its record are durable; where it
   * rejects, neither is visible.
   */
  async publish(file: FileInput, finished: FinishedFile): Promise<StoredFile> {
    const write = async (claim: NameChoice, receivedAt: string) => {
      const record = recordOf({ ...file, receivedAt }, finished.sha256)
      const companion = await this.#records.write(record, finished.modifiedMs)
      await this.#folder.publish(claim, finished, companion)
      return file.length
    }
    const name = (await this.#named(file, write)) ?? ''
    return { path: join(this.#folder.layout.dir, name), name, bytes: file.length, duplicate: false }
  }

  /** Finds a name for a file that `write` writes, and counts it. */
  async #named(
    { filename }: FileInput,
    write: (choice: NameChoice, receivedAt: string) => Promise<number | undefined>,
  ): Promise<string | undefined> {
    const atNs = wallClockNs()
    const { index } = this.#options.room
    const claim = index.claim(() => receivedFileName(filename, atNs, ++this.#seq))
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
    const { room, slots } = this.#options
    const { from = '', length } = file
    if (payload instanceof Uint8Array) {
      const bytes = whole(payload, length)
      await room.grow(reservation, length)
      const content = async function* () {
        yield bytes
      }
      const source = { ...this.#source(file, content, delivery), repeatable: true }
      return slots.inMemory(from, () => this.#folder.write(choice, source))
    }
    const content = async function* () {
      for await (const piece of pieces(payload, length)) {
        await room.grow(reservation, piece.length)
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
        // A delivery takes the hash on the way.
        const look = (piece: Uint8Array) => hash.update(piece)
        return temporary.writeAll(delivery === undefined ? watched(content(), look) : content())
      },
      companion: temporary => {
        const sha256 = delivery?.payloadSha256 ?? hash.digest('hex')
        return this.#records.write(recordOf(file, sha256), temporary.modifiedMs)
      },
      record: delivery,
    }
  }
}

type FileFacts = FileInput & { readonly receivedAt: string }

function recordOf(file: FileFacts, sha256: string): FileRecord {
  const { filename: originalName, length: bytes, type = 'FILE', receivedAt, from, messageId, replyTo } = file
  return {
    ...(from !== undefined && { from }),
    originalName,
    bytes,
    sha256,
    type,
    receivedAt,
    ...(messageId !== undefined && { messageId }),
    ...(replyTo !== undefined && { replyTo }),
  }
}

/** What a file is written with. */
interface Writing {
  readonly delivery: Delivery | undefined
  readonly reservation: Reservation
}
