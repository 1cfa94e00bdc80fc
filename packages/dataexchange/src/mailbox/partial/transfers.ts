import type { FileHandle } from 'node:fs/promises'
import { KeyedQueue } from '../../async/keyed-queue.ts'
import { checkDisk } from '../../disk/free-space.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { ReceivedQuota } from '../received/quota.ts'
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

/** A file that is to arrive in chunks. */
export interface TransferInput {
  /** Transfer id: the first 16 bytes of `sha256` `[stream.id]`. */
  readonly id: Uint8Array
  /** The sender's address as text. Only this sender can resume the transfer. */
  readonly owner: string
  /** The name that the sender gave; it may be unsafe for the disk. */
  readonly filename: string
  /** Size of the file in bytes. */
  readonly size: number
  /** SHA-256 of the whole file, 32 bytes. */
  readonly sha256: Uint8Array
}

/** How {@link Transfers} are set up. */
export interface TransfersOptions {
  readonly quota: ReceivedQuota
  readonly received: Pick<Received, 'publish'>
  /** Whether files are synced. */
  readonly durable: boolean
  /** Milliseconds after which an idle partial file expires; Infinity: never. */
  readonly partialTimeoutMs: number
  /** Milliseconds without progress after which a transfer is closed; Infinity: never. */
  readonly transferStallTimeoutMs: number
  readonly logger: Logger
}

/**
 * The transfers of a mailbox. It assigns partial files to transfers, limits the number of both, and ends those that
 * make no progress. The top of partial-folder.ts explains the rules.
 */
export class Transfers {
  readonly #dir: string
  readonly #options: TransfersOptions
  readonly #partials: PartialFolder
  readonly #open = new Map<PartialEntry, Transfer>()
  readonly #locks = new KeyedQueue()
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> | undefined
  #sweptAt = performance.now()

  /** `dir` is the received folder. */
  constructor(dir: string, options: TransfersOptions) {
    this.#dir = dir
    this.#options = options
    this.#partials = options.quota.partials
  }

  /** Lists the partial files, removes those that have expired, and keeps doing so until {@link close}. */
  async load(): Promise<void> {
    const { partialTimeoutMs, transferStallTimeoutMs } = this.#options
    await this.#options.quota.refresh()
    await this.#sweep()
    const shortest = Math.min(partialTimeoutMs, transferStallTimeoutMs)
    if (shortest === Number.POSITIVE_INFINITY) return
    this.#timer = setInterval(() => this.#check(), Math.min(shortest / CHECKS_PER_TIMEOUT, MAX_INTERVAL_MS))
    this.#timer.unref()
  }

  /** See `Mailbox.openTransfer`. */
  open(input: TransferInput): Promise<Transfer> {
    const id = Buffer.from(input.id).toString('hex')
    // One at a time for each id, so that two calls cannot choose the same partial file.
    return this.#locks.run(id, () => this.#begin(id, input))
  }

  /** Closes all transfers; their partial files stay. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#open.values()].map(transfer => transfer.close('the service is stopping')))
    await this.#sweeping
  }

  async #begin(id: string, input: TransferInput): Promise<Transfer> {
    const { owner, size } = input
    const { quota } = this.#options
    const entry = await this.#acquire(id, ownerTag(owner))
    let reservation: Reservation | undefined
    const onClosed = () => {
      reservation?.release()
      entry.isOpen = false
      entry.modified = Date.now()
      this.#open.delete(entry)
    }
    try {
      const rest = size - (entry.bytes > size ? 0 : entry.bytes)
      reservation = await quota.open(owner, rest)
      await checkDisk(this.#dir, rest)
      const handle = await this.#partials.open(entry, size)
      // Another program may have changed the file after it was listed.
      if (reservation.isWhole) reservation.add(size - entry.bytes - rest)
      const transfer = this.#transfer(entry, input, { handle, reservation, onClosed })
      this.#open.set(entry, transfer)
      return transfer
    } catch (error) {
      onClosed()
      if (entry.bytes === 0) await this.#partials.remove(entry)
      throw error
    }
  }

  /** Closes an older transfer of the same owner `[stream.receive-takeover]`, then opens the partial file. */
  async #acquire(id: string, tag: string): Promise<PartialEntry> {
    await this.#partials.refreshIfStale()
    const before = this.#partials.find(id, tag)
    if (before) await this.#open.get(before)?.close('a newer connection has taken it over')
    // Nothing may be awaited between the last check and the acquisition.
    for (let wait = this.#makeRoom(id, tag); wait; wait = this.#makeRoom(id, tag)) await wait
    return this.#partials.acquire(id, tag)
  }

  #transfer(entry: PartialEntry, input: TransferInput, { handle, reservation, onClosed }: Opened): Transfer {
    const { quota, received, durable } = this.#options
    const { filename, size, sha256, owner } = input
    const hex = Buffer.from(sha256).toString('hex')
    return new Transfer({
      size,
      sha256,
      handle,
      path: this.#partials.path(entry),
      offset: entry.bytes,
      durable,
      reserve: bytes => (reservation.isWhole ? quota.check() : quota.grow(reservation, bytes)),
      onWritten: bytes => {
        entry.bytes += bytes
        reservation.add(-bytes)
      },
      publish: async file => {
        const discard = () => this.#partials.unlink(entry)
        const fields = { filename, length: size, from: owner, type: 'FILESTREAM' }
        const stored = await received.publish(fields, { ...file, discard, sha256: hex })
        // Only now does the file count as received. Until then it must count as partial.
        this.#partials.forget(entry)
        return stored
      },
      remove: () => this.#partials.remove(entry),
      onClosed,
      failure: error => storeFailure(this.#dir, error),
    })
  }

  /** Begins to remove one obstacle to another transfer; undefined if there is none. */
  #makeRoom(id: string, tag: string): Promise<void> | undefined {
    const removal = this.#partials.removalOf(id, tag)
    if (removal) return removal
    const obstacle = this.#obstacleFor(id, tag)
    return obstacle && this.#partials.remove(obstacle)
  }

  /**
   * The idle partial file to remove before the owner `tag` may have another one; undefined if none has to go.
   *
   * @throws {MailboxError} TRANSFERS_FULL
   */
  #obstacleFor(id: string, tag: string): PartialEntry | undefined {
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

  /** Closes transfers without progress `[stream.receive-stall]`, and sweeps when it is time. */
  #check(): void {
    const { partialTimeoutMs, transferStallTimeoutMs } = this.#options
    for (const transfer of this.#open.values()) {
      if (transfer.idleMs > transferStallTimeoutMs) void transfer.close('there was no progress for too long')
    }
    if (this.#sweeping || performance.now() - this.#sweptAt < partialTimeoutMs / CHECKS_PER_TIMEOUT) return
    this.#sweeping = this.#sweep()
      .catch((err: unknown) => this.#options.logger.warn({ err }, 'cannot remove expired partial files'))
      .finally(() => {
        this.#sweeping = undefined
      })
  }

  /** Removes expired partial files `[stream.receive-expiry]`. */
  async #sweep(): Promise<void> {
    this.#sweptAt = performance.now()
    const swept = await this.#partials.sweep(this.#options.partialTimeoutMs)
    if (swept > 0) this.#options.logger.info({ dir: this.#dir, swept }, 'removed expired partial files')
  }
}

/** The resources of a transfer that begins. */
interface Opened {
  readonly handle: FileHandle
  readonly reservation: Reservation
  readonly onClosed: () => void
}

const CHECKS_PER_TIMEOUT = 8
const MAX_INTERVAL_MS = 60_000
