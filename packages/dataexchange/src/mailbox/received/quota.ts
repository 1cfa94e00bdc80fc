import { coalesce } from '../../async/coalesce.ts'
import type { DurableFolder } from '../../disk/durable-folder.ts'
import { FolderIndex } from '../../disk/folder-index.ts'
import { NO_USAGE, sum, type Usage } from '../../disk/usage.ts'
import { MailboxError } from '../../errors.ts'
import { partialDir } from '../layout.ts'
import { isUnpackedName } from '../names.ts'
import { PartialFolder } from '../partial/partial-folder.ts'
import { type Reservation, Reservations } from './reservation.ts'

/**
 * Share of `receivedMaxBytes` that one peer may reserve by declared lengths; beyond it its files count with
 * the bytes that have arrived.
 * @limit part
 */
const RECEIVED_SHARE = 1 / 4

/** Limits of the received folder; Infinity turns one off. */
export interface ReceivedLimits {
  readonly maxFiles: number
  readonly maxBytes: number
}

/**
 * The quota of the received folder `[received.max-bytes]`: what it holds, and whether more fits. Received files, partial
 * files `[received.max-bytes-partial]`, and reservations of files that are being written count.
 */
export class ReceivedQuota {
  readonly index: FolderIndex
  readonly partials: PartialFolder
  /** Lists the received and the partial files; concurrent calls share one listing. */
  readonly refresh: () => Promise<void>
  readonly #limits: ReceivedLimits
  /** Reserved by {@link reserve}. */
  #reserved: Usage = { files: 0, bytes: 0 }
  /** Reserved by {@link open}. */
  readonly #open: Reservations

  constructor(folder: DurableFolder, limits: ReceivedLimits) {
    const { dir } = folder.layout
    this.#limits = limits
    this.#open = new Reservations(limits.maxBytes * RECEIVED_SHARE)
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
   * Reserves files and bytes, until {@link release}.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async reserve(usage: Usage): Promise<void> {
    // A loop, not an `if`: nothing may be awaited between the last check and the reservation.
    while (!this.#fits(usage)) await this.#makeRoom(usage)
    this.#reserved = sum(this.#reserved, usage)
  }

  /** Gives back a reservation of {@link reserve}. */
  release({ files, bytes }: Usage): void {
    this.#reserved = sum(this.#reserved, { files: -files, bytes: -bytes })
  }

  /**
   * Makes the reservation of a file of `length` bytes that the sender `from` begins to send, see {@link Reservations}.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async open(from: string, length: number): Promise<Reservation> {
    const whole = { files: 1, bytes: length }
    const mayBeWhole = this.#open.isWithinShare(from, length)
    if (mayBeWhole) while (!this.#fits(whole)) await this.#makeRoom(whole)
    // A length that is not reserved must not remove partial files either. They are removed when its bytes arrive.
    else if (!this.#fits(this.#withoutIdle(whole))) {
      await this.#refreshFor(whole)
      this.#assertFits(this.#withoutIdle(whole))
    }
    return this.#open.reserve(from, length, mayBeWhole)
  }

  /**
   * Adds bytes that are about to be written to the reservation of a file, unless its whole length is reserved.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async grow(file: Reservation, bytes: number): Promise<void> {
    if (file.isWhole) return
    const more = { files: 0, bytes }
    while (!this.#fits(more)) await this.#makeRoom(more)
    file.add(bytes)
  }

  /**
   * Checks that `more` fits. Without `more` it checks what is there: other programs put files into the folder, too.
   *
   * @throws {MailboxError} RECEIVED_FULL
   */
  async check(more: Usage = NO_USAGE): Promise<void> {
    if (!this.#fits(more)) await this.#makeRoom(more)
  }

  /** Lists the folder again, then removes idle partial files if that is enough for `more`. Throws if it is not. */
  async #makeRoom(more: Usage): Promise<void> {
    await this.#refreshFor(more)
    while (!this.#fits(more) && this.#fits(this.#withoutIdle(more))) {
      const idle = this.partials.leastValuable()
      if (idle !== undefined) await this.partials.remove(idle)
    }
    this.#assertFits(more)
  }

  #withoutIdle({ files, bytes }: Usage): Usage {
    return { files, bytes: bytes - this.partials.idleBytes }
  }

  /** Lists the folder before anything is refused, since other programs remove files. */
  async #refreshFor({ bytes }: Usage): Promise<void> {
    if (bytes <= this.#limits.maxBytes) await this.refresh()
  }

  #assertFits(more: Usage): void {
    if (this.#fits(more)) return
    const { files, bytes } = this.#used
    const { maxFiles, maxBytes } = this.#limits
    throw new MailboxError(
      'RECEIVED_FULL',
      `${more.bytes} bytes more do not fit. With files that are being written, the received folder holds ${files} files ` +
        `of ${maxFiles} (receivedMaxFiles) and ${bytes} bytes of ${maxBytes} (receivedMaxBytes). Remove some files.`,
    )
  }

  #fits(more: Usage): boolean {
    const { files, bytes } = sum(this.#used, more)
    // A file that has begun counts as one already, so it may be completed even if there are too many.
    return bytes <= this.#limits.maxBytes && (more.files === 0 || files <= this.#limits.maxFiles)
  }

  /** Partial files count only with their bytes: their number has a limit of its own. */
  get #used(): Usage {
    const { index, partials } = this
    const partial = { files: 0, bytes: partials.bytes }
    return [index, partial, this.#reserved, this.#open].reduce<Usage>(sum, NO_USAGE)
  }
}
