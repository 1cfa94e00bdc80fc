import { LIMITS } from '../../limits.ts'
import type { Checkpoints } from './checkpoints.ts'
import type { JournalFolder } from './journal-folder.ts'
import type { JournalEntry } from './journal-format.ts'
import { Segment } from './segment.ts'

/**
 * Makes small files durable before they are: their content goes into one file that is synced for all that wait
 * (group commit), and so survives a power cut, while they themselves are synced later, many at once, out of
 * anybody's way. Then the journal forgets them. What a power cut has taken is written again at the next start, see
 * `journal-recovery.ts`.
 */
export class Journal {
  readonly #folder: JournalFolder
  readonly #checkpoints: Checkpoints
  #segment: Segment | undefined
  #waiting: Waiting[] = []
  #isCommitting = false
  #timer: NodeJS.Timeout | undefined
  readonly #closing: (() => void)[] = []
  #isClosed = false

  constructor(folder: JournalFolder, checkpoints: Checkpoints) {
    this.#folder = folder
    this.#checkpoints = checkpoints
  }

  /** False where too much waits to be forgotten: a file has to be synced by itself then. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#checkpoints.hasRoom
  }

  /**
   * Resolves when `entry` is durable, and counts, with a function to be called once the file has its name or never will:
   * until then the journal does not forget it. Where it rejects, whether it counts is not known: the caller says
   * otherwise, by `noteRemoved`, or stores the same file under the same name.
   */
  append(entry: JournalEntry): Promise<() => void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      if (this.#isCommitting) return
      this.#isCommitting = true
      // At the end of this turn: until then others come.
      setImmediate(() => void this.#commit())
    })
  }

  /** Resolves when all that was appended has settled; it is left to the checkpoints then. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#isCommitting) await new Promise<void>(resolve => this.#closing.push(resolve))
    await this.#retire()
  }

  async #commit(): Promise<void> {
    const batch = this.#take()
    try {
      const segment = await this.#usable()
      await segment.append(batch.map(({ entry }) => entry))
      for (const { resolve } of batch) resolve(() => segment.settle())
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

  #take(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { entry } of this.#waiting) {
      bytes += entry.content.length
      if (count > 0 && (count >= MOST_ENTRIES || bytes > MOST_BYTES)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #usable(): Promise<Segment> {
    if (this.#segment?.isDue) await this.#retire()
    if (this.#segment === undefined) {
      this.#segment = await Segment.create(this.#folder)
      this.#timer = setTimeout(() => this.#lookAgain(), LIMITS.journalAge.value).unref()
    }
    return this.#segment
  }

  /** Where nobody uses it, nobody else looks. */
  #lookAgain(): void {
    if (!this.#isCommitting) void this.#retire()
  }

  async #retire(): Promise<void> {
    const segment = this.#segment
    this.#segment = undefined
    clearTimeout(this.#timer)
    if (segment === undefined) return
    // At once: the checkpoints, when they are closed, must know of it.
    this.#checkpoints.add(segment)
    await segment.close()
  }
}

interface Waiting {
  readonly entry: JournalEntry
  readonly resolve: (settle: () => void) => void
  readonly reject: (error: unknown) => void
}

/** More would make a turn of the event loop long. */
const MOST_ENTRIES = 256
const MOST_BYTES = 4 * 1024 * 1024
