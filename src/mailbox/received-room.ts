import { MailboxError } from '../errors.ts'
import { coalesce } from './coalesce.ts'
import type { DurableFolder } from './durable-write.ts'
import { FolderIndex } from './folder-index.ts'
import { partialDir } from './layout.ts'
import { isUnpackedName } from './names.ts'
import { PartialFolder } from './partial-folder.ts'
import { type Reservation, Room } from './room.ts'

/** What the received folder holds, and may still take: received files, partial ones, and those to come. */
export class ReceivedRoom {
  readonly index: FolderIndex
  readonly partials: PartialFolder
  /** Lists both folders. */
  readonly refresh: () => Promise<void>
  readonly #maxBytes: number
  /** Of files that are being written, what is not on the disk under a name that is counted. */
  #reserved = 0
  readonly #open: Room

  constructor(folder: DurableFolder, maxBytes: number) {
    const { dir } = folder.layout
    this.#maxBytes = maxBytes
    this.#open = new Room(maxBytes * SHARE)
    this.index = new FolderIndex(
      dir,
      () => true,
      () => {},
      isUnpackedName,
    )
    this.partials = new PartialFolder(partialDir(dir), () => folder.make())
    this.refresh = coalesce(async () => {
      await this.index.refresh()
      await this.partials.refresh()
    })
  }

  /**
   * Takes `length` bytes of the room, until {@link release}.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async reserve(length: number): Promise<void> {
    // No turn of others between a look that finds room and the taking of it.
    while (!this.#fits(length)) await this.check(length)
    this.#reserved += length
  }

  release(length: number): void {
    this.#reserved -= length
  }

  /**
   * Takes room for a file of `length` bytes that the sender `from` begins to send, see {@link Room}.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async open(from: string, length: number): Promise<Reservation> {
    while (!this.#fits(length)) await this.check(length)
    return this.#open.reserve(from, length)
  }

  /**
   * So many bytes more of the file have come.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async grow(file: Reservation, bytes: number): Promise<void> {
    if (file.isWhole) return
    while (!this.#fits(bytes)) await this.check(bytes)
    file.take(bytes)
  }

  /**
   * Tells whether `length` bytes more would fit; without them, whether all is within the limit, since other
   * programs may put files there.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async check(length = 0): Promise<void> {
    // Other programs take files out of the folder: nothing is refused before looking again.
    if (!this.#fits(length) && length <= this.#maxBytes) await this.refresh()
    if (this.#fits(length)) return
    throw new MailboxError(
      'RECEIVED_FULL',
      `a file of ${length} bytes does not fit: the received folder holds ${this.index.bytes + this.partials.bytes}, ` +
        `${this.#reserved + this.#open.bytes} are being written, and ${this.#maxBytes} are allowed (receivedMaxBytes)`,
    )
  }

  #fits(length: number): boolean {
    const taken = this.index.bytes + this.partials.bytes + this.#reserved + this.#open.bytes
    return taken + length <= this.#maxBytes
  }
}

/** The part of the folder's limit that one sender may take by lengths that it declares. */
const SHARE = 1 / 4
