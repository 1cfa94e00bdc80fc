import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { coalesce } from '../../async/coalesce.ts'
import { Fifo } from '../../async/queue.ts'
import { type FolderEntry, FolderIndex, type NameClaim } from '../../disk/folder-index.ts'
import { type Count, sum, Tally } from '../../disk/usage.ts'
import { MailboxError, systemCode } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import { MESSAGE_SUFFIX } from '../layout.ts'
import { messageAge } from '../names.ts'
import { Owners, readSender } from './senders.ts'

/** What the inbox may hold. */
export interface InboxLimits {
  readonly maxFiles: number
  readonly maxBytes: number
  /** What the messages of one sender may take of both, over 0 and up to 1. */
  readonly share: number
  /** Past the limits the oldest messages go, or new ones are refused. */
  readonly whenFull: 'evict' | 'refuse'
}

/**
 * Keeps the inbox within its limits: past them the oldest messages go (section 3), or new ones are refused.
 * A sender past its share loses its own oldest messages, not those of others. The cost of a message does
 * not grow with the inbox.
 */
export class InboxQuota {
  /**
   * Removes the oldest messages where there are too many, or too many bytes (then down to 90 %), but never
   * the one stored last. Resolves when that is done; never rejects: what cannot be removed is logged, and
   * tried again after the next listing.
   */
  readonly enforce: () => Promise<void>
  readonly #dir: string
  readonly #limits: InboxLimits
  readonly #logger: Logger
  readonly #index: FolderIndex
  readonly #refreshShared: () => Promise<void>
  readonly #owners = new Owners()
  #order = new Fifo<FolderEntry>()
  #latest: FolderEntry | undefined
  /** Senders that may be past their share. */
  readonly #suspects = new Set<string>()
  /** What is being written, where new messages are refused. */
  readonly #writing = new Tally()
  #unreported = 0
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(dir: string, limits: InboxLimits, logger: Logger) {
    this.#dir = dir
    this.#limits = limits
    this.#logger = logger
    const isMessage = (name: string) => name.endsWith(MESSAGE_SUFFIX)
    this.#index = new FolderIndex(dir, isMessage, entry => this.#owners.remove(entry))
    const run = coalesce(() => this.#run())
    this.enforce = async () => {
      if (limits.whenFull === 'evict' && (this.#isOver() || this.#suspects.size > 0)) await run()
    }
    this.#refreshShared = coalesce(() => this.refresh())
  }

  /** A name for a message to be written, see `FolderIndex.claim`. */
  claim(make: () => string): NameClaim {
    return this.#index.claim(make)
  }

  /** Looks what is in the inbox. */
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
      await this.#findOwners(aged.map(({ entry }) => entry).filter(entry => isNew.has(entry)))
  }

  /**
   * Makes room for a message of `size` bytes from `from` that is about to be written, where new messages are
   * refused rather than old ones removed. Resolves with a function that gives the room back: it is counted by
   * {@link added} from then on, or was not written.
   *
   * @throws {MailboxError} INBOX_FULL
   */
  async reserve(from: string, size: number): Promise<() => void> {
    if (this.#limits.whenFull === 'evict') return () => {}
    if (!this.#fits(from, size)) await this.#lookAgain()
    if (!this.#fits(from, size)) {
      const { maxFiles, maxBytes } = this.#limits
      throw new MailboxError(
        'INBOX_FULL',
        `the inbox holds ${this.#index.files} messages of ${maxFiles} and ${this.#index.bytes} bytes of ` +
          `${maxBytes}, or this sender has its share of them; clear some, or let the oldest go (whenFull)`,
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
    this.#owners.add(entry, from)
    if (this.#isPastShare(this.#owners.get(from))) this.#suspects.add(from)
  }

  #isOver(): boolean {
    return this.#index.files > this.#limits.maxFiles || this.#index.bytes > this.#limits.maxBytes
  }

  async #run(): Promise<void> {
    await this.#lookAgain()
    // Nobody loses a message to a sender that has more than its share.
    const victims = [...this.#takeFromSuspects(), ...this.#takeVictims()]
    for (let i = 0; i < victims.length; i++) {
      if (i > 0 && i % REMOVALS_A_TURN === 0) await nextTurn()
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

  /** The oldest messages of the senders that are past their share. */
  #takeFromSuspects(): FolderEntry[] {
    const victims: FolderEntry[] = []
    for (const from of this.#suspects) {
      const owner = this.#owners.get(from)
      for (let left = owner.order.length; left > 0 && this.#isPastShare(owner); left--) {
        const entry = owner.order.shift()
        if (entry === undefined || entry.gone) continue
        if (entry === this.#latest) owner.order.push(entry)
        else {
          this.#index.forget(entry)
          victims.push(entry)
        }
      }
    }
    this.#suspects.clear()
    return victims
  }

  #isPastShare({ files, bytes }: Count): boolean {
    const { maxFiles, maxBytes, share } = this.#limits
    return share < 1 && (files > maxFiles * share || bytes > maxBytes * share)
  }

  #fits(from: string, size: number): boolean {
    const { maxFiles, maxBytes } = this.#limits
    const { all } = this.#writing
    const stored = sum(this.#owners.get(from), this.#writing.of(from))
    const own = sum(stored, { files: 1, bytes: size })
    return (
      this.#index.files + all.files < maxFiles &&
      this.#index.bytes + all.bytes + size <= maxBytes &&
      !this.#isPastShare(own)
    )
  }

  /** Messages that others have removed are not to be kept in mind. */
  #dropGone(): void {
    this.#order = new Fifo(this.#order.toArray().filter(({ gone }) => !gone))
    this.#owners.dropGone()
  }

  /** Other programs remove messages: nothing is removed or refused over a listing that is old. */
  async #lookAgain(): Promise<void> {
    if (this.#index.listingAge <= LISTING_GOOD_MS) return
    await this.#refreshShared().catch(err => this.#logger.warn({ err }, 'cannot list the inbox'))
  }

  async #findOwners(found: readonly FolderEntry[]): Promise<void> {
    for (const entry of found) {
      const from = await readSender(join(this.#dir, entry.name))
      if (from !== undefined && !entry.gone) this.#owners.add(entry, from)
    }
  }

  #remove(entry: FolderEntry): void {
    try {
      unlinkSync(join(this.#dir, entry.name))
      this.#unreported++
    } catch (err) {
      if (systemCode(err) === 'ENOENT') return
      this.#logger.warn({ err, file: entry.name }, 'cannot remove an old message')
    }
  }

  #report(): void {
    if (this.#unreported === 0 || performance.now() - this.#reportedAt < REPORT_EVERY_MS) return
    this.#logger.info(
      { removed: this.#unreported, files: this.#index.files, bytes: this.#index.bytes },
      'the inbox is full: old messages were removed',
    )
    this.#unreported = 0
    this.#reportedAt = performance.now()
  }
}

const EVICT_DOWN_TO = 0.9
/** Removals by other programs are noticed after this long at most, without a listing for every message. */
const LISTING_GOOD_MS = 10_000
/** More would keep others waiting. */
const REMOVALS_A_TURN = 64
const REPORT_EVERY_MS = 60_000
