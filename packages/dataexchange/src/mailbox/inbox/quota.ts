import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { coalesce } from '../../async/coalesce.ts'
import { Fifo } from '../../async/queue.ts'
import { type FolderEntry, FolderIndex, type ReservedName } from '../../disk/folder-index.ts'
import { sum, type Usage, UsageBySender } from '../../disk/usage.ts'
import { MailboxError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { systemCode } from '../../system-errors.ts'
import { MESSAGE_SUFFIX } from '../layout.ts'
import { messageAge } from '../names.ts'
import { readSender, Senders } from './senders.ts'

/** The limits of the inbox. */
export interface InboxLimits {
  readonly maxFiles: number
  readonly maxBytes: number
  /** The fraction of both limits for one sender, more than 0 and at most 1. */
  readonly share: number
  /** Whether the oldest messages are evicted at the limits, or new ones refused. */
  readonly whenFull: 'evict' | 'refuse'
}

/**
 * Keeps the inbox within its limits: evicts the oldest messages `[inbox.max-files]` `[inbox.max-bytes]`, or refuses new
 * ones. A sender past its share loses its own oldest messages. The cost for a message does not grow with the inbox.
 */
export class InboxQuota {
  /**
   * Evicts the oldest messages past the limits, by bytes down to 90 %, but never the one stored last. Never rejects: a
   * message that cannot be removed is logged, and tried again after the next listing.
   */
  readonly enforce: () => Promise<void>
  readonly #dir: string
  readonly #limits: InboxLimits
  readonly #logger: Logger
  readonly #index: FolderIndex
  readonly #refreshShared: () => Promise<void>
  readonly #senders = new Senders()
  /** All messages, oldest first. Some may be gone. */
  #order = new Fifo<FolderEntry>()
  #latest: FolderEntry | undefined
  /** Senders that may be past their share. */
  readonly #suspects = new Set<string>()
  /** The reservations of messages being written, if new messages are refused. */
  readonly #writing = new UsageBySender()
  #unreported = 0
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(dir: string, limits: InboxLimits, logger: Logger) {
    this.#dir = dir
    this.#limits = limits
    this.#logger = logger
    const isMessage = (name: string) => name.endsWith(MESSAGE_SUFFIX)
    this.#index = new FolderIndex(dir, isMessage, entry => this.#senders.remove(entry))
    const evict = coalesce(() => this.#evict())
    this.enforce = async () => {
      if (limits.whenFull === 'evict' && (this.#isOver() || this.#suspects.size > 0)) await evict()
    }
    this.#refreshShared = coalesce(() => this.refresh())
  }

  /** Reserves a name for a message, see `FolderIndex.claim`. */
  claim(make: () => string): ReservedName {
    return this.#index.reserveName(make)
  }

  /** Lists the inbox and takes up the changes of other programs. */
  async refresh(): Promise<void> {
    const found = await this.#index.refresh()
    this.#dropGone()
    if (found.length === 0) return
    const isNew = new Set(found)
    const aged = [...this.#order.toArray(), ...found]
      .map(entry => ({ entry, age: messageAge(entry.name, entry.mtimeMs) }))
      .sort((a, b) => (a.age < b.age ? -1 : a.age > b.age ? 1 : 0))
    this.#order = new Fifo(aged.map(({ entry }) => entry))
    if (this.#limits.share < 1)
      await this.#findSenders(aged.map(({ entry }) => entry).filter(entry => isNew.has(entry)))
  }

  /**
   * Reserves `size` bytes for a message of `from`, if new messages are refused at the limits. Resolves with a function
   * that ends the reservation, once {@link added} counts the message or it was not written.
   *
   * @throws {MailboxError} INBOX_FULL
   */
  async reserve(from: string, size: number): Promise<() => void> {
    if (this.#limits.whenFull === 'evict') return () => {}
    if (!this.#fits(from, size)) await this.#refreshIfStale()
    if (!this.#fits(from, size)) {
      const { maxFiles, maxBytes } = this.#limits
      throw new MailboxError(
        'INBOX_FULL',
        `the inbox holds ${this.#index.files} messages of ${maxFiles} and ${this.#index.bytes} bytes of ` +
          `${maxBytes}, or this sender has used its share; clear messages, or have the oldest evicted (whenFull)`,
      )
    }
    const count = { files: 1, bytes: size }
    this.#writing.add(from, count)
    return () => this.#writing.remove(from, count)
  }

  /** Counts a message that has just been stored. */
  added(name: string, size: number, from: string): void {
    const entry = this.#index.add(name, size)
    this.#latest = entry
    this.#order.push(entry)
    if (this.#limits.share === 1) return
    this.#senders.add(entry, from)
    if (this.#isPastShare(this.#senders.get(from))) this.#suspects.add(from)
  }

  #isOver(): boolean {
    return this.#index.files > this.#limits.maxFiles || this.#index.bytes > this.#limits.maxBytes
  }

  async #evict(): Promise<void> {
    await this.#refreshIfStale()
    // First the senders past their share: nobody else loses a message to them.
    const victims = [...this.#takeFromSuspects(), ...this.#takeVictims()]
    for (let i = 0; i < victims.length; i++) {
      if (i > 0 && i % REMOVALS_PER_TURN === 0) await nextTurn()
      this.#remove(victims[i]!)
    }
    this.#report()
  }

  #takeVictims(): FolderEntry[] {
    const { maxFiles, maxBytes } = this.#limits
    const bytesGoal = this.#index.bytes > maxBytes ? maxBytes * EVICT_DOWN_TO : Number.POSITIVE_INFINITY
    const victims: FolderEntry[] = []
    for (let left = this.#order.length; left > 0; left--) {
      if (this.#index.files <= maxFiles && this.#index.bytes <= bytesGoal) break
      const entry = this.#order.shift()
      if (entry === undefined || entry.gone) continue
      if (entry === this.#latest) this.#order.push(entry)
      else {
        this.#index.forget(entry)
        victims.push(entry)
      }
    }
    return victims
  }

  /** The oldest messages of senders past their share. */
  #takeFromSuspects(): FolderEntry[] {
    const victims: FolderEntry[] = []
    for (const from of this.#suspects) {
      const sender = this.#senders.get(from)
      for (let left = sender.order.length; left > 0 && this.#isPastShare(sender); left--) {
        const entry = sender.order.shift()
        if (entry === undefined || entry.gone) continue
        if (entry === this.#latest) sender.order.push(entry)
        else {
          this.#index.forget(entry)
          victims.push(entry)
        }
      }
    }
    this.#suspects.clear()
    return victims
  }

  #isPastShare({ files, bytes }: Usage): boolean {
    const { maxFiles, maxBytes, share } = this.#limits
    return share < 1 && (files > maxFiles * share || bytes > maxBytes * share)
  }

  #fits(from: string, size: number): boolean {
    const { maxFiles, maxBytes } = this.#limits
    const { all } = this.#writing
    const stored = sum(this.#senders.get(from), this.#writing.of(from))
    const own = sum(stored, { files: 1, bytes: size })
    return (
      this.#index.files + all.files < maxFiles &&
      this.#index.bytes + all.bytes + size <= maxBytes &&
      !this.#isPastShare(own)
    )
  }

  /** Drops the entries of messages that other programs have removed. */
  #dropGone(): void {
    this.#order = new Fifo(this.#order.toArray().filter(({ gone }) => !gone))
    this.#senders.dropGone()
  }

  /** Other programs remove messages, so nothing is evicted or refused by an old listing. */
  async #refreshIfStale(): Promise<void> {
    if (this.#index.listingAge <= LISTING_STALE_AFTER_MS) return
    await this.#refreshShared().catch(err => this.#logger.warn({ err }, 'cannot list the inbox'))
  }

  async #findSenders(found: readonly FolderEntry[]): Promise<void> {
    for (const entry of found) {
      const from = await readSender(join(this.#dir, entry.name))
      if (from !== undefined && !entry.gone) this.#senders.add(entry, from)
    }
  }

  #remove(entry: FolderEntry): void {
    try {
      unlinkSync(join(this.#dir, entry.name))
      this.#unreported++
    } catch (err) {
      if (systemCode(err) === 'ENOENT') return
      this.#logger.warn({ err, file: entry.name }, 'cannot evict an old message')
    }
  }

  #report(): void {
    if (this.#unreported === 0 || performance.now() - this.#reportedAt < REPORT_INTERVAL_MS) return
    this.#logger.info(
      { removed: this.#unreported, files: this.#index.files, bytes: this.#index.bytes },
      'the inbox is full: old messages were evicted',
    )
    this.#unreported = 0
    this.#reportedAt = performance.now()
  }
}

const EVICT_DOWN_TO = 0.9
/** The longest time until a removal by another program is noticed, without a listing for every message. */
const LISTING_STALE_AFTER_MS = 10_000
/** More would block the event loop for too long. */
const REMOVALS_PER_TURN = 64
const REPORT_INTERVAL_MS = 60_000
