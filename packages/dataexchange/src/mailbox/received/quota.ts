import { coalesce } from '../../async/coalesce.ts'
import type { DurableFolder } from '../../disk/durable-folder.ts'
import { FolderIndex } from '../../disk/folder-index.ts'
import { type Count, NOTHING, sum } from '../../disk/usage.ts'
import { MailboxError } from '../../errors.ts'
import { partialDir } from '../layout.ts'
import { isUnpackedName } from '../names.ts'
import { PartialFolder } from '../partial/partial-folder.ts'
import { type Reservation, Room } from './reservation.ts'

/**
 * Share of `receivedMaxBytes` that one peer may reserve by declared lengths; beyond it its files count with
 * the bytes that have arrived.
 * @limit part
 */
const RECEIVED_SHARE = 1 / 4

/** What the received folder holds, and may still take: received files, partial ones, and those to come. */
export class ReceivedRoom {
  readonly index: FolderIndex
  readonly partials: PartialFolder
  /** Lists both folders. */
  readonly refresh: () => Promise<void>
  readonly #limits: ReceivedLimits
  /** Of files that are being written, what is not on the disk under a name that is counted. */
  #reserved: Count = { files: 0, bytes: 0 }
  readonly #open: Room

  constructor(folder: DurableFolder, limits: ReceivedLimits) {
    const { dir } = folder.layout
    this.#limits = limits
    this.#open = new Room(limits.maxBytes * RECEIVED_SHARE)
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
   * Takes room for what `count` says, until {@link release}.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async reserve(count: Count): Promise<void> {
    // No turn of others between a look that finds room and the taking of it.
    while (!this.#fits(count)) await this.#makeRoom(count)
    this.#reserved = sum(this.#reserved, count)
  }

  release({ files, bytes }: Count): void {
    this.#reserved = sum(this.#reserved, { files: -files, bytes: -bytes })
  }

  /**
   * Takes room for a file of `length` bytes that the sender `from` begins to send, see {@link Room}.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async open(from: string, length: number): Promise<Reservation> {
    const whole = { files: 1, bytes: length }
    const isTaken = this.#open.isWithinShare(from, length)
    if (isTaken) while (!this.#fits(whole)) await this.#makeRoom(whole)
    // A length that takes no room removes nothing either: partial files make way when the bytes come.
    else if (!this.#fits(this.#besidesIdle(whole))) {
      await this.#lookAgain(whole)
      this.#demand(this.#besidesIdle(whole))
    }
    return this.#open.reserve(from, length, isTaken)
  }

  /**
   * So many bytes more of the file have come.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async grow(file: Reservation, bytes: number): Promise<void> {
    if (file.isWhole) return
    const more = { files: 0, bytes }
    while (!this.#fits(more)) await this.#makeRoom(more)
    file.take(bytes)
  }

  /**
   * Tells whether so much more would fit; without it, whether all is within the limit, since other programs may
   * put files there. Partial files that nobody is going on with make way.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async check(more: Count = NOTHING): Promise<void> {
    if (!this.#fits(more)) await this.#makeRoom(more)
  }

  /** Lists the folder again, then removes idle partial files if that is enough for `more`; throws if it is not. */
  async #makeRoom(more: Count): Promise<void> {
    await this.#lookAgain(more)
    while (!this.#fits(more) && this.#fits(this.#besidesIdle(more))) {
      const idle = this.partials.leastValuable()
      if (idle !== undefined) await this.partials.remove(idle)
    }
    this.#demand(more)
  }

  #besidesIdle({ files, bytes }: Count): Count {
    return { files, bytes: bytes - this.partials.idleBytes }
  }

  /** Other programs take files out of the folder: nothing is refused before looking again. */
  async #lookAgain({ bytes }: Count): Promise<void> {
    if (bytes <= this.#limits.maxBytes) await this.refresh()
  }

  #demand(more: Count): void {
    if (this.#fits(more)) return
    const { files, bytes } = this.#taken
    const { maxFiles, maxBytes } = this.#limits
    throw new MailboxError(
      'RECEIVED_FULL',
      `${more.bytes} bytes more do not fit: the received folder holds, with what is being written, ${files} files of ` +
        `${maxFiles} (receivedMaxFiles) and ${bytes} bytes of ${maxBytes} (receivedMaxBytes); remove some`,
    )
  }

  #fits(more: Count): boolean {
    const { files, bytes } = sum(this.#taken, more)
    // What is begun goes on although there are too many files: it counts as one of them.
    return bytes <= this.#limits.maxBytes && (more.files === 0 || files <= this.#limits.maxFiles)
  }

  /** Partial files that nobody goes on with count with their bytes only: there are never many of them. */
  get #taken(): Count {
    const { index, partials } = this
    const partial = { files: 0, bytes: partials.bytes }
    return [index, partial, this.#reserved, this.#open].reduce<Count>(sum, NOTHING)
  }
}

/** What the received folder may hold; Infinity where a limit is off. */
export interface ReceivedLimits {
  readonly maxFiles: number
  readonly maxBytes: number
}
