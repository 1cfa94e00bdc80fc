import type { DurableFolder } from '../../disk/durable-folder.ts'
import type { Logger } from '../../logger.ts'
import type { Payload } from '../payload.ts'
import { Delivery, type DeliveryIdentity, type DeliveryMemory, type Stored } from './delivery.ts'
import type { IdLog } from './id-log.ts'
import type { IdLogFile } from './id-log-file.ts'
import type { IdRecord } from './id-record.ts'
import { PerSenderMap } from './per-sender-map.ts'

// Deduplication by message id
// ---------------------------
//
// A frame with a message id is stored once, however often it is sent [tagged.duplicate]. Two frames are the same
// delivery if sender, type, file name, message id, reply id and payload are equal [tagged.same-delivery]; the digest
// over these identifies it. Deliveries are remembered for a limited time, and past a limited number the sender with
// the most loses its oldest.
//
// In order, for one delivery:
//
// 1. Its payload is hashed on its way in. When it is complete, `shouldStore` computes the digest and looks it up. A
//    stored delivery is a duplicate. If the same delivery is being stored right now, it is awaited first.
// 2. Before the file gets its final name, a record `about` is appended to the log and synced: digest, expiry, name
//    and inode. (JournaledWriter appends it before the write-ahead log's entry, DurableFolder beside the sync of the
//    data.)
// 3. The file gets its final name, durably.
// 4. A record `stored` is appended, and the sender gets its ACK. This record is written but synced only with the next
//    one: it matters only if a reader has removed the message and the power fails soon after.
//
// On start, all logs are read. A delivery counts if its `stored` record is there, or if its `about` record is there and
// the folder has a file of that name and inode, or if the write-ahead log has restored that file. So a crash between
// any two steps neither forgets a delivery that was acknowledged nor remembers one that was not stored. Deliveries that
// count are written to a file of this process, and the files of dead processes are deleted.
//
// A file of the log is needed as long as one remembered delivery has its record there: see IdLogFile.release.

/** How long, and how many, deliveries {@link Deliveries} remembers. */
export interface DeliveriesOptions {
  /** Milliseconds. */
  readonly lifetime: number
  /** Past it the oldest delivery of the sender with the most is forgotten. */
  readonly max: number
  readonly logger: Logger
}

/** The folders that deliveries are stored in. */
export type DeliveryFolders = Readonly<Record<IdRecord['folder'], Pick<DurableFolder, 'has' | 'sync'>>>

/** The file of a delivery, and whether it was stored before. */
export interface Outcome {
  readonly name: string
  readonly duplicate: boolean
}

/** The deliveries that are stored under a message id, in memory and in the log. */
export class Deliveries implements DeliveryMemory {
  readonly #log: IdLog
  readonly #options: DeliveriesOptions
  /** The stored deliveries by digest. */
  readonly #stored = new PerSenderMap<Stored>()
  /** The deliveries that are being stored, by digest. Each promise resolves when that ends, stored or not. */
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(log: IdLog, options: DeliveriesOptions) {
    this.#log = log
    this.#options = options
  }

  /**
   * Loads the logs of all processes, and deletes those of dead ones. A log that cannot be read or written is logged;
   * its deliveries are forgotten now or at the next start.
   *
   * @throws the file system's error if a folder cannot be synced
   */
  async load(folders: DeliveryFolders): Promise<void> {
    const { logger } = this.#options
    const { records, abandoned } = await this.#log.read(logger)
    const known = await this.#resolve(records, folders)
    for (const { record, forgetAt } of known) {
      this.#remember(record.digest, { name: record.name, from: record.from, forgetAt })
    }
    const kept = known.filter(({ record }) => this.#stored.get(record.digest) !== undefined)
    try {
      for (const { record, forgetAt, file } of await this.#appendAgain(kept)) {
        this.#remember(record.digest, { name: record.name, from: record.from, forgetAt, file })
      }
      await this.#log.remove(abandoned)
    } catch (err) {
      logger.warn({ err }, 'the memory of message ids cannot be written')
    }
  }

  /**
   * Stores a delivery with `store`, unless it is stored already. `store` gets the payload and the delivery. When it
   * has the whole payload it must await `shouldStore`: with false it stores nothing and resolves with undefined, else
   * it stores the file and resolves with its name.
   */
  async once(
    identity: DeliveryIdentity,
    payload: Payload,
    store: (payload: Payload, delivery: Delivery) => Promise<string | undefined>,
  ): Promise<Outcome> {
    const delivery = new Delivery(identity, payload, this, this.#options.logger)
    let name: string | undefined
    try {
      name = await store(delivery.payload, delivery)
    } catch (error) {
      // The folder may be full because it holds the first copy.
      if (!(await delivery.wasStoredBefore(error))) throw error
    } finally {
      delivery.end(name)
    }
    return name === undefined ? { name: delivery.firstName, duplicate: true } : { name, duplicate: false }
  }

  /**
   * Resolves with the name of the stored file of the delivery `digest`. If it is not stored, the caller has to store
   * it: it gets a function to call when that has ended, with the delivery if it was stored. Concurrent callers wait.
   */
  async acquire(digest: string): Promise<string | ((stored?: Stored) => void)> {
    for (let first = this.#underWay.get(digest); first !== undefined; first = this.#underWay.get(digest)) {
      await first
    }
    this.#forgetExpired()
    const stored = this.#stored.get(digest)
    if (stored !== undefined) return stored.name
    let onEnd = () => {}
    this.#underWay.set(digest, new Promise(resolve => (onEnd = resolve)))
    return stored => {
      if (stored !== undefined) this.#remember(digest, stored)
      this.#underWay.delete(digest)
      this.#forgetExpired()
      onEnd()
    }
  }

  /** Appends `record` to the log, see {@link IdLog.append}. */
  append(record: IdRecord, synced: boolean): Promise<IdLogFile> {
    return this.#log.append(record, synced)
  }

  /** When a delivery stored now expires, in both clocks. */
  newExpiry(): { expiresAt: number; forgetAt: number } {
    const { lifetime } = this.#options
    return { expiresAt: Date.now() + lifetime, forgetAt: performance.now() + lifetime }
  }

  /** The deliveries of `records` that count, oldest first, each as a `stored` record. */
  async #resolve(records: readonly IdRecord[], folders: DeliveryFolders): Promise<Known[]> {
    const known = new Map<string, Known>()
    let isSyncDue = false
    // Both clocks are read once, so that the order of expiry is kept.
    const [wall, monotonic] = [Date.now(), performance.now()]
    for (const record of records) {
      const { digest, folder, name, inode } = record
      // A clock that was set back must not prolong it.
      const left = Math.min(record.expiresAt - wall, this.#options.lifetime)
      if (left <= 0 || known.has(digest)) continue
      if (record.kind === 'about') {
        if (!(await folders[folder].has(name, inode))) continue
        isSyncDue = true
      }
      known.set(digest, {
        record: { ...record, kind: 'stored', expiresAt: wall + left },
        forgetAt: monotonic + left,
      })
    }
    // A file that was published but not yet acknowledged may lie in a folder that is not synced.
    if (isSyncDue) await Promise.all([folders.inbox.sync(), folders.received.sync()])
    return [...known.values()].sort((a, b) => a.forgetAt - b.forgetAt)
  }

  /** Appends the records to a file of this process. */
  async #appendAgain(known: readonly Known[]): Promise<(Known & { file: IdLogFile })[]> {
    return Promise.all(
      known.map(async entry => ({ ...entry, file: await this.#log.append(entry.record, true) })),
    )
  }

  #remember(digest: string, stored: Stored): void {
    this.#stored.set(digest, stored, stored.from)
    while (this.#stored.size > this.#options.max) this.#forget(this.#stored.oldestOfLargest() ?? digest)
  }

  #forgetExpired(): void {
    const now = performance.now()
    for (const [digest, { forgetAt }] of this.#stored) {
      if (forgetAt > now) return
      this.#forget(digest)
    }
  }

  #forget(digest: string): void {
    void this.#stored.get(digest)?.file?.release()
    this.#stored.delete(digest)
  }
}

interface Known {
  readonly record: IdRecord
  readonly forgetAt: number
}
