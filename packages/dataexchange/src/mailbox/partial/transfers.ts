import { KeyedLock } from '../../async/keyed-lock.ts'
import { checkDisk } from '../../disk/free-space.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { ReceivedRoom } from '../received/quota.ts'
import type { Received } from '../received/received.ts'
import type { Reservation } from '../received/reservation.ts'
import { storeFailure } from '../store-failed.ts'
import type { PartialEntry, PartialFolder } from './partial-folder.ts'
import { ownerTag } from './partial-names.ts'
import { Transfer } from './transfer.ts'

/**
 * Transfers (FILESTREAM) that are received at once, each with an open file; another one is refused.
 * @limit count
 */
export const TRANSFERS = 64

/** Transfers of one peer that are received at once; another one is refused. @limit count */
export const TRANSFERS_PER_PEER = 16

/** Partial files that are kept; beyond it the peer with the most loses its oldest. @limit count */
export const PARTIAL_FILES = 256

/** Partial files of one peer that are kept; beyond it the oldest is removed. @limit count */
export const PARTIAL_FILES_PER_PEER = 32

/** A file that is to come in chunks. */
export interface TransferInput {
  /** The first 16 bytes of `sha256`. */
  readonly id: Uint8Array
  /** Who sends it, as text: nobody else goes on with it. */
  readonly owner: string
  /** The name the sender gave; it need not be safe. */
  readonly filename: string
  /** Bytes of the file. */
  readonly size: number
  readonly sha256: Uint8Array
}

/** How {@link Transfers} are set up. */
export interface TransfersOptions {
  readonly room: ReceivedRoom
  readonly received: Pick<Received, 'publish'>
  readonly durable: boolean
  /** Milliseconds; Infinity: never. */
  readonly partialTimeout: number
  /** Milliseconds; Infinity: never. */
  readonly transferTimeout: number
  readonly logger: Logger
}

/**
 * The transfers of a mailbox (section 4): which partial file is whose, how many there may be, and when they
 * end. A partial file has one writer: a newer transfer of the same owner takes it over, and another owner
 * that sends the same file has one of its own.
 */
export class Transfers {
  readonly #dir: string
  readonly #options: TransfersOptions
  readonly #partials: PartialFolder
  readonly #open = new Map<PartialEntry, Transfer>()
  readonly #locks = new KeyedLock()
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> | undefined
  #sweptAt = performance.now()

  constructor(dir: string, options: TransfersOptions) {
    this.#dir = dir
    this.#options = options
    this.#partials = options.room.partials
  }

  /** Counts what is there, and removes what has expired; then does so all the while. */
  async load(): Promise<void> {
    const { partialTimeout, transferTimeout } = this.#options
    await this.#options.room.refresh()
    await this.#sweep()
    const shortest = Math.min(partialTimeout, transferTimeout)
    if (shortest === Number.POSITIVE_INFINITY) return
    this.#timer = setInterval(() => this.#check(), Math.min(shortest / CHECKS, LONGEST_TIMER))
    this.#timer.unref()
  }

  /** See `Mailbox.openTransfer`. */
  open(input: TransferInput): Promise<Transfer> {
    const id = Buffer.from(input.id).toString('hex')
    // One at a time for a file: nobody else may choose the same partial file meanwhile.
    return this.#locks.run(id, () => this.#begin(id, input))
  }

  /** Closes all transfers; their partial files stay. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#open.values()].map(transfer => transfer.close('the service is stopping')))
    await this.#sweeping
  }

  async #begin(id: string, { owner, filename, size, sha256 }: TransferInput): Promise<Transfer> {
    const { room, received, durable } = this.#options
    const tag = ownerTag(owner)
    await this.#partials.refreshOld()
    const before = this.#partials.find(id, tag)
    if (before) await this.#open.get(before)?.close('a newer connection has taken it over')
    // Nothing may be awaited between the last look and the claim.
    for (let way = this.#makeWay(id, tag); way; way = this.#makeWay(id, tag)) await way
    const entry = this.#partials.claim(id, tag)
    let reservation: Reservation | undefined
    const onClosed = () => {
      reservation?.release()
      entry.isOpen = false
      entry.modified = Date.now()
      this.#open.delete(entry)
    }
    try {
      const rest = size - (entry.bytes > size ? 0 : entry.bytes)
      const taken = await room.open(owner, rest)
      reservation = taken
      await checkDisk(this.#dir, rest)
      const handle = await this.#partials.open(entry, size)
      // Other programs may have changed it since it was listed.
      if (taken.isWhole) taken.take(size - entry.bytes - rest)
      const transfer = new Transfer({
        size,
        sha256,
        handle,
        path: this.#partials.path(entry),
        offset: entry.bytes,
        durable,
        checkRoom: bytes => (taken.isWhole ? room.check() : room.grow(taken, bytes)),
        onGrown: bytes => {
          entry.bytes += bytes
          taken.take(-bytes)
        },
        publish: async file => {
          const input = { filename, length: size, from: owner, type: 'FILESTREAM' }
          const discard = () => this.#partials.unlink(entry)
          const stored = await received.publish(input, {
            ...file,
            discard,
            sha256: Buffer.from(sha256).toString('hex'),
          })
          // Not before it counts as received: no moment is to have room for others that is not there.
          this.#partials.forget(entry)
          return stored
        },
        remove: () => this.#partials.remove(entry),
        onClosed,
        failure: error => storeFailure(this.#dir, error),
      })
      this.#open.set(entry, transfer)
      return transfer
    } catch (error) {
      onClosed()
      if (entry.bytes === 0) await this.#partials.remove(entry)
      throw error
    }
  }

  /** Resolves when one hindrance less is there to one more transfer for the owner `tag`; undefined where there is none. */
  #makeWay(id: string, tag: string): Promise<void> | undefined {
    const removal = this.#partials.removalOf(id, tag)
    if (removal) return removal
    const old = this.#inTheWay(id, tag)
    return old && this.#partials.remove(old)
  }

  /**
   * The partial file that must go before there may be one more transfer for the owner `tag`: of those that
   * nobody is going on with the oldest of the owner, or else of whoever has most. Undefined where none must.
   */
  #inTheWay(id: string, tag: string): PartialEntry | undefined {
    const all = [...this.#partials.entries]
    const own = all.filter(({ owner }) => owner === tag)
    const isFull = own.filter(({ isOpen }) => isOpen).length >= TRANSFERS_PER_PEER
    if (isFull || all.filter(({ isOpen }) => isOpen).length >= TRANSFERS) {
      throw new MailboxError('TRANSFERS_FULL', 'there are too many transfers at once')
    }
    if (this.#partials.find(id, tag)) return undefined
    if (own.length >= PARTIAL_FILES_PER_PEER) return this.#partials.oldestIdle(tag)
    return all.length >= PARTIAL_FILES ? this.#partials.leastValuable() : undefined
  }

  #check(): void {
    const { partialTimeout, transferTimeout } = this.#options
    for (const transfer of this.#open.values()) {
      if (transfer.idleMs > transferTimeout) void transfer.close('there was no progress for too long')
    }
    if (this.#sweeping || performance.now() - this.#sweptAt < partialTimeout / CHECKS) return
    this.#sweeping = this.#sweep()
      .catch((err: unknown) => this.#options.logger.warn({ err }, 'partial files could not be swept'))
      .finally(() => {
        this.#sweeping = undefined
      })
  }

  async #sweep(): Promise<void> {
    this.#sweptAt = performance.now()
    const swept = await this.#partials.sweep(this.#options.partialTimeout)
    if (swept > 0)
      this.#options.logger.info({ dir: this.#dir, swept }, 'removed partial files that had expired')
  }
}

const CHECKS = 8
const LONGEST_TIMER = 60_000
