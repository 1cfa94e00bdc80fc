import { FIXED_LIMITS } from '../../limits.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { JournalFolder } from './journal-folder.ts'
import type { JournalEntry } from './journal-format.ts'
import { Segment } from './segment.ts'

// The write-ahead log of small messages
// -------------------------------------
//
// To sync a file and its folder for every message would limit a service to the syncs that its disk can do. Small
// messages are therefore written to their own files unsynced, and made durable by this log: name and content are
// appended, and one sync covers all messages that arrived meanwhile (group commit). The files are synced later, in
// bulk, and then the log drops them. The inbox stays its files: the log is read only by a start that finds segments
// of an earlier process.
//
// 1. Append (this file, segment.ts). The message's file is written under a temporary name. Its entry joins the batch
//    of this turn of the event loop, and the batch is appended to the current segment and synced. A batch counts as a
//    whole or, if the power fails meanwhile, not at all. Then link() gives the file its name, and the sender gets its
//    ACK. The name must not come first: a power cut could leave a torn file under it.
// 2. Rotation (this file). A segment that is full or old, or whose write or sync has failed, is retired. The next
//    append creates another.
// 3. Checkpoint (checkpoints.ts, sync-messages.ts). Once every file of a retired segment has its name or never will
//    (`settle`), the files are synced, then the inbox. Then the segment is deleted and the deletion synced: a segment
//    that a power cut brought back would bring back messages that were removed since. Too many segments waiting for
//    this make `hasRoom` false, and messages take the slow path, with a sync of their own.
// 4. Failed sync (checkpoints.ts). A successful fsync after a failed one proves nothing: the kernel may have dropped
//    the dirty pages. So `.failed` is created beside the segment, and the content is written to the files once more,
//    from the segment, before they are synced again. If that fails, too, the segment stays for the next start.
// 5. Tombstones (tombstones.ts). A removed message must not come back from a segment that has it. Its name is
//    appended to the `.removed` beside every segment before its removal counts as durable. The same is done for a
//    name whose append or link() has failed: its sender was told of an error.
// 6. Recovery (journal-recovery.ts, abandoned-segments.ts), on start. After a power cut, which means in segments of
//    another boot, files that are missing or torn are written again unless they have a tombstone. In segments of this
//    boot nothing can have been lost: a missing file was removed, and gets a tombstone. The segments are kept until
//    the caller has loaded the message ids. Then they are marked with this boot (`adopt`) and checkpointed. If the
//    process dies before, the next start does all of it again.
//
// journal-folder.ts has the names of the files, journal-format.ts their content.

/** The write-ahead log of one folder. */
export class Journal {
  readonly #folder: JournalFolder
  readonly #checkpoints: Checkpoints
  #segment: Segment | undefined
  #waiting: PendingEntry[] = []
  #isCommitting = false
  #timer: NodeJS.Timeout | undefined
  readonly #closing: (() => void)[] = []
  #isClosed = false

  constructor(folder: JournalFolder, checkpoints: Checkpoints) {
    this.#folder = folder
    this.#checkpoints = checkpoints
  }

  /** False while too many segments wait for their checkpoint, or after {@link close}. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#checkpoints.hasRoom
  }

  /**
   * Appends `entry`. Resolves when it is durable, with a function to call when the file has its name or never will; the
   * segment is not checkpointed before. If it rejects, the entry may or may not be in the log: the caller adds a
   * tombstone, or stores the same file under the same name.
   */
  append(entry: JournalEntry): Promise<() => void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      if (this.#isCommitting) return
      this.#isCommitting = true
      // Entries of the same turn share the batch.
      setImmediate(() => void this.#commit())
    })
  }

  /** Resolves when all appends have settled, and the last segment is left to the checkpoints. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#isCommitting) await new Promise<void>(resolve => this.#closing.push(resolve))
    await this.#retire()
  }

  async #commit(): Promise<void> {
    const batch = this.#nextBatch()
    try {
      const segment = await this.#usable()
      const settle = await segment.append(batch.map(({ entry }) => entry))
      for (const { resolve } of batch) resolve(settle)
    } catch (error) {
      await this.#retire()
      for (const { reject } of batch) reject(error)
    }
    if (this.#segment?.isDue) await this.#retire()
    if (this.#waiting.length > 0) {
      setImmediate(() => void this.#commit())
      return
    }
    this.#isCommitting = false
    for (const resolve of this.#closing.splice(0)) resolve()
  }

  #nextBatch(): PendingEntry[] {
    let bytes = 0
    let count = 0
    for (const { entry } of this.#waiting) {
      bytes += entry.content.length
      if (count > 0 && (count >= MAX_BATCH_ENTRIES || bytes > MAX_BATCH_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #usable(): Promise<Segment> {
    if (this.#segment?.isDue) await this.#retire()
    if (this.#segment === undefined) {
      this.#segment = await Segment.create(this.#folder)
      this.#timer = setTimeout(() => this.#retireIdle(), FIXED_LIMITS.journalAge.value).unref()
    }
    return this.#segment
  }

  /** Without further appends nothing else notices that the segment is old. */
  #retireIdle(): void {
    if (!this.#isCommitting) void this.#retire()
  }

  async #retire(): Promise<void> {
    const segment = this.#segment
    this.#segment = undefined
    clearTimeout(this.#timer)
    if (segment === undefined) return
    // Before the await: checkpoints that are closed meanwhile must know of it.
    this.#checkpoints.add(segment)
    await segment.close()
  }
}

interface PendingEntry {
  readonly entry: JournalEntry
  readonly resolve: (settle: () => void) => void
  readonly reject: (error: unknown) => void
}

// A larger batch would block the event loop for too long.
const MAX_BATCH_ENTRIES = 256
const MAX_BATCH_BYTES = 4 * 1024 * 1024
