import type { DurableFolder } from '../../disk/durable-folder.ts'
import type { Logger } from '../../logger.ts'
import type { Payload } from '../payload.ts'
import { Delivery, type DeliveryIdentity, type DeliveryMemory, type Stored } from './delivery.ts'
import type { IdJournal, IdRecord, JournalFile } from './id-journal.ts'
import { SharedMemory } from './per-sender-map.ts'

/** How long, and how many, {@link Deliveries} remembers; past `max` the oldest of whoever has most are forgotten. */
export interface DeliveriesOptions {
  /** ms */
  readonly lifetime: number
  readonly max: number
  readonly logger: Logger
}

/** The folders that deliveries are stored in. */
export type DeliveryFolders = Readonly<Record<IdRecord['folder'], Pick<DurableFolder, 'has' | 'sync'>>>

/** The file that a delivery is stored in, and whether it was so before. */
export interface Outcome {
  readonly name: string
  readonly duplicate: boolean
}

/**
 * Remembers what was delivered under a message id, so that it is stored once however often it is sent
 * (section 5). A delivery is on record in the journal, durably, before its file gets its final name: after
 * whatever end of this process it counts where that very file is in its folder, or where a second record says
 * that it was. The second one is written before the delivery resolves but synced with the next: it matters only
 * for a message that somebody has read and removed.
 */
export class Deliveries implements DeliveryMemory {
  readonly #journal: IdJournal
  readonly #options: DeliveriesOptions
  /** What is stored, by digest. */
  readonly #stored = new SharedMemory<Stored>()
  /** What is complete and being stored; resolves when that is over, whatever came of it. */
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(journal: IdJournal, options: DeliveriesOptions) {
    this.#journal = journal
    this.#options = options
  }

  /**
   * Takes up what earlier processes have left, and others have on record. A journal that cannot be read or
   * written is logged; what it held is forgotten, or will be with the next restart.
   *
   * @throws the file system's error where a folder cannot be synced
   */
  async load(folders: DeliveryFolders): Promise<void> {
    const { logger } = this.#options
    const { records, abandoned } = await this.#journal.read(logger)
    const known = await this.#resolve(records, folders)
    for (const { record, forgetAt } of known) {
      this.#remember(record.digest, { name: record.name, from: record.from, forgetAt })
    }
    const kept = known.filter(({ record }) => this.#stored.get(record.digest) !== undefined)
    try {
      for (const { record, forgetAt, file } of await this.#enter(kept)) {
        this.#remember(record.digest, { name: record.name, from: record.from, forgetAt, file })
      }
      await this.#journal.remove(abandoned)
    } catch (err) {
      logger.warn({ err }, 'the memory of message ids cannot be written')
    }
  }

  /**
   * Has `store` store a delivery, unless that was done before. It gets the payload to store and the delivery,
   * whose `confirm` it must await when it has all of the payload: where that says no, it stores nothing and
   * resolves with undefined, else with the name of the file.
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
      // A folder may be full because the first copy is in it.
      if (!(await delivery.wasStoredBefore(error))) throw error
    } finally {
      delivery.end(name)
    }
    return name === undefined ? { name: delivery.firstName, duplicate: true } : { name, duplicate: false }
  }

  /**
   * Resolves with the name of the file that the delivery `digest` is stored in; where there is none, the caller
   * is to store it and to call the function that it gets when that is over. One that is being stored is
   * waited for.
   */
  async claim(digest: string): Promise<string | ((stored?: Stored) => void)> {
    for (let first = this.#underWay.get(digest); first !== undefined; first = this.#underWay.get(digest)) {
      await first
    }
    this.#forgetOld()
    const stored = this.#stored.get(digest)
    if (stored !== undefined) return stored.name
    let wake = () => {}
    this.#underWay.set(digest, new Promise(resolve => (wake = resolve)))
    return stored => {
      if (stored !== undefined) this.#remember(digest, stored)
      this.#underWay.delete(digest)
      this.#forgetOld()
      wake()
    }
  }

  /** Puts `record` into the journal, see {@link IdJournal.append}. */
  append(record: IdRecord, synced: boolean): Promise<JournalFile> {
    return this.#journal.append(record, synced)
  }

  /** When what is stored now is to be forgotten. */
  newExpiry(): { expiresAt: number; forgetAt: number } {
    const { lifetime } = this.#options
    return { expiresAt: Date.now() + lifetime, forgetAt: performance.now() + lifetime }
  }

  /** Of what was on record, what counts, the oldest first, each as a record that needs no file to count. */
  async #resolve(records: readonly IdRecord[], folders: DeliveryFolders): Promise<Known[]> {
    const known = new Map<string, Known>()
    let isSyncDue = false
    // Looked at once, so that what was stored first is forgotten first.
    const [wall, monotonic] = [Date.now(), performance.now()]
    for (const record of records) {
      const { digest, folder, name, inode } = record
      // A clock that was put back must not make it longer.
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
    // Of what was published and not yet acknowledged, nobody has synced the folder.
    if (isSyncDue) await Promise.all([folders.inbox.sync(), folders.received.sync()])
    return [...known.values()].sort((a, b) => a.forgetAt - b.forgetAt)
  }

  /** Enters them again, in a file of this process. */
  async #enter(known: readonly Known[]): Promise<(Known & { file: JournalFile })[]> {
    return Promise.all(
      known.map(async entry => ({ ...entry, file: await this.#journal.append(entry.record, true) })),
    )
  }

  #remember(digest: string, stored: Stored): void {
    this.#stored.set(digest, stored, stored.from)
    while (this.#stored.size > this.#options.max) this.#forget(this.#stored.oldestOfMost() ?? digest)
  }

  #forgetOld(): void {
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
