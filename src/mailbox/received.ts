import { join } from 'node:path'
import { wallClockNs } from '../clock.ts'
import type { Delivery } from './delivery.ts'
import type { DurableFolder, NameChoice, Publishable } from './durable-write.ts'
import { receivedFileName } from './names.ts'
import { type Payload, pieces, whole } from './payload.ts'
import type { ReceivedRoom } from './received-room.ts'
import type { Reservation } from './room.ts'
import type { Stores } from './stores.ts'
import type { TemporaryFile } from './temporary-file.ts'

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
  readonly room: ReceivedRoom
  /** Shared by the folders of a mailbox. */
  readonly stores: Stores
}

/** The folder of received files (section 3). */
export class Received {
  readonly #folder: DurableFolder
  readonly #options: ReceivedOptions
  #seq = 0

  constructor(folder: DurableFolder, options: ReceivedOptions) {
    this.#folder = folder
    this.#options = options
  }

  /**
   * Resolves with the name of the file, or with undefined where `delivery` says that it was stored before. Names
   * are given in the order of the calls. See `Mailbox.storeFile`.
   */
  store(file: FileInput, payload: Payload, delivery?: Delivery): Promise<string | undefined> {
    const { room } = this.#options
    const { length, from = '' } = file
    return this.#named(file, async claim => {
      // What is whole is known before it needs room.
      const isWhole = payload instanceof Uint8Array
      if (isWhole && delivery !== undefined && !(await delivery.confirm())) return undefined
      const reservation = await room.open(from, length)
      try {
        return await this.#write(claim, payload, { from, length, record: delivery, reservation })
      } finally {
        reservation.release()
      }
    })
  }

  /**
   * Gives a whole file, whose content is durable and which lies in a hidden subfolder, its final name, durably;
   * resolves with that.
   */
  async publish(input: FileInput, file: Publishable): Promise<StoredFile> {
    const write = async (claim: NameChoice) => {
      await this.#folder.publish(claim, file)
      return input.length
    }
    const name = (await this.#named(input, write)) ?? ''
    return { path: join(this.#folder.layout.dir, name), name, bytes: input.length, duplicate: false }
  }

  /** Finds a name for a file that `write` writes, and counts it. */
  async #named(
    { filename }: FileInput,
    write: (choice: NameChoice) => Promise<number | undefined>,
  ): Promise<string | undefined> {
    const atNs = wallClockNs()
    const { index } = this.#options.room
    const claim = index.claim(() => receivedFileName(filename, atNs, ++this.#seq))
    try {
      const size = await write(claim)
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
    { from, length, record, reservation }: Writing,
  ): Promise<number | undefined> {
    const { room, stores } = this.#options
    if (payload instanceof Uint8Array) {
      const bytes = await whole(payload, length)
      await room.grow(reservation, length)
      return stores.small(from, () =>
        this.#folder.write(choice, { fill: file => file.write([bytes]), repeatable: true, record }),
      )
    }
    const fill = async (file: TemporaryFile) => {
      for await (const piece of pieces(payload, length)) {
        await room.grow(reservation, piece.length)
        await file.write([piece])
      }
    }
    return stores.streamed(from, () => this.#folder.write(choice, { fill, repeatable: false, record }))
  }
}

/** What a file is written with. */
interface Writing {
  readonly from: string
  readonly length: number
  readonly record: Delivery | undefined
  readonly reservation: Reservation
}
