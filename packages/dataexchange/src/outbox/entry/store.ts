import { lstat, readdir, readFile, rename, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8 } from '../../bytes.ts'
import { DurableFolder } from '../../disk/durable-folder.ts'
import { ifExists, removeFile } from '../../disk/if-exists.ts'
import { folderLayout } from '../../disk/layout.ts'
import { publish } from '../../disk/publish.ts'
import { sweepTemporaries } from '../../disk/sweep.ts'
import type { TemporaryFile } from '../../disk/temporary-file.ts'
import { writeEntry } from './file.ts'
import type { EntryHead } from './head.ts'
import {
  ENTRY_SUFFIX,
  type EntryName,
  entryStem,
  FAILED_SUFFIX,
  parseStem,
  STATE_SUFFIX,
  splitName,
} from './name.ts'
import { decodeState, type EntryState, encodeState } from './state.ts'

/** An entry in the listing of the folder. */
export interface StoredEntry extends EntryName {
  readonly stem: string
  readonly hasState: boolean
  readonly hasFailed: boolean
}

/** A new entry. */
export interface NewEntry {
  readonly head: EntryHead
  readonly seq: number
  readonly payload: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** Awaited when the entry is complete, before it is visible. If it rejects, the entry is not added. */
  beforePublish(bytes: number): Promise<void>
  /** Called when the entry is visible, before it is durable. */
  onPublished(): void
}

/**
 * The files of an outbox: one per entry, with the message, and beside it the state of its tries. Processes that share an
 * outbox communicate through these files only: an existing entry is to be sent, a removed one is not
 * (docs/mailbox-format.md).
 */
export class EntryStore {
  readonly dir: string
  readonly #folder: DurableFolder

  constructor(dir: string) {
    this.dir = dir
    this.#folder = new DurableFolder(folderLayout(dir), true)
  }

  /** Creates the folder if it is missing. */
  make(): Promise<void> {
    return this.#folder.make()
  }

  /** Syncs the folder: earlier additions, removals and renames are durable. Concurrent calls share a sync. */
  sync(): Promise<void> {
    return this.#folder.sync()
  }

  /** Deletes temporary files of dead processes. */
  async sweep(): Promise<void> {
    await sweepTemporaries(this.#folder.layout)
  }

  /** The entries of the folder, in order, and the stems of state files without an entry. */
  async list(): Promise<{ entries: StoredEntry[]; orphans: string[] }> {
    const suffixes = new Map<string, Set<string>>()
    for (const name of await ifExists(readdir(this.dir), [])) {
      const { stem, suffix } = splitName(name) ?? {}
      if (stem === undefined || suffix === undefined) continue
      const known = suffixes.get(stem)
      if (known === undefined) suffixes.set(stem, new Set([suffix]))
      else known.add(suffix)
    }
    const entries: StoredEntry[] = []
    const orphans: string[] = []
    for (const [stem, there] of suffixes) {
      const name = parseStem(stem)
      if (name === undefined) continue
      if (!there.has(ENTRY_SUFFIX)) orphans.push(stem)
      else
        entries.push({
          ...name,
          stem,
          hasState: there.has(STATE_SUFFIX),
          hasFailed: there.has(FAILED_SUFFIX),
        })
    }
    return { entries: entries.sort((a, b) => a.seq - b.seq), orphans }
  }

  /** Writes an entry. Resolves when it is durable; if it rejects, nothing was added. */
  async add({ head, seq, payload, beforePublish, onPublished }: NewEntry): Promise<void> {
    const file = await this.#folder.createTemporary()
    let path: string
    try {
      await writeEntry(file, head, payload)
      await file.finish(true)
      await beforePublish(file.size)
      path = await this.#publish(file, { seq, bytes: file.size, id: head.messageId })
      onPublished()
    } catch (error) {
      await file.discard()
      throw error
    }
    // Concurrent additions share this sync.
    const [synced] = await Promise.allSettled([this.sync(), file.discard()])
    if (synced.status === 'fulfilled') return
    // The name may have reached the disk.
    await removeFile(path).catch(() => undefined)
    await this.sync().catch(() => undefined)
    throw synced.reason
  }

  /** Whether the entry exists. */
  async has(stem: string): Promise<boolean> {
    return (await ifExists(lstat(this.#path(stem, ENTRY_SUFFIX)), undefined)) !== undefined
  }

  /** Removes an entry. Resolves with false if it did not exist. {@link sync} makes it durable. */
  async remove(stem: string): Promise<boolean> {
    // The entry first: a state without an entry is swept, but an entry without its state would be sent again.
    const wasThere = await removeFile(this.#path(stem, ENTRY_SUFFIX))
    await this.removeState(stem)
    return wasThere
  }

  /**
   * Removes an entry that may be in flight. Resolves with whether a try may have sent it, or undefined if it did not exist.
   * {@link sync} makes it durable.
   */
  async take(stem: string): Promise<boolean | undefined> {
    // The sender writes the state before it opens the entry. So after the removal, an entry without that state was not
    // sent. The state is read before the removal, too: a runner that misses the entry deletes its state.
    const before = await this.#readAnyState(stem)
    if (!(await removeFile(this.#path(stem, ENTRY_SUFFIX)))) return undefined
    const after = await this.#readAnyState(stem)
    await this.removeState(stem)
    return (after ?? before)?.maybeStored ?? false
  }

  /** Removes the state files of an entry. */
  async removeState(stem: string): Promise<void> {
    await removeFile(this.#path(stem, STATE_SUFFIX))
    await removeFile(this.#path(stem, FAILED_SUFFIX))
  }

  /** Undefined if it was never tried. */
  async readState(stem: string): Promise<EntryState | undefined> {
    return this.#stateIn(this.#path(stem, STATE_SUFFIX))
  }

  /** Not synced: its loss does no harm. */
  async writeState(stem: string, state: EntryState): Promise<void> {
    await this.#replace(this.#path(stem, STATE_SUFFIX), encodeState(state), false)
  }

  /** Undefined if the entry has not failed. */
  async readFailure(stem: string): Promise<EntryState | undefined> {
    return this.#stateIn(this.#path(stem, FAILED_SUFFIX))
  }

  /** Marks an entry as failed: it is listed and not tried. Resolves when that is durable. */
  async fail(stem: string, state: EntryState): Promise<void> {
    await this.#replace(this.#path(stem, FAILED_SUFFIX), encodeState(state), true)
    await removeFile(this.#path(stem, STATE_SUFFIX))
    await this.sync()
  }

  /**
   * Makes an entry due at once; a failed one gets its whole time to live again. Resolves when that is durable.
   */
  async renew(stem: string, hasFailed: boolean): Promise<void> {
    const now = new Date()
    if (hasFailed) await utimes(this.#path(stem, ENTRY_SUFFIX), now, now)
    await this.removeState(stem)
    await this.sync()
  }

  async #readAnyState(stem: string): Promise<EntryState | undefined> {
    return (await this.readFailure(stem)) ?? (await this.readState(stem))
  }

  async #publish(file: TemporaryFile, name: EntryName): Promise<string> {
    for (let seq = name.seq; ; seq++) {
      const entry = entryStem({ ...name, seq }) + ENTRY_SUFFIX
      if (await publish(this.#folder.layout, file.path, entry)) return join(this.dir, entry)
    }
  }

  async #stateIn(path: string): Promise<EntryState | undefined> {
    const text = await ifExists(readFile(path, 'utf8'), undefined)
    return text === undefined ? undefined : decodeState(text)
  }

  async #replace(path: string, text: string, durable: boolean): Promise<void> {
    const file: TemporaryFile = await this.#folder.createTemporary()
    try {
      await file.write([utf8(text)])
      await file.finish(durable)
      await rename(file.path, path)
    } catch (error) {
      await file.discard()
      throw error
    }
  }

  #path(stem: string, suffix: string): string {
    return join(this.dir, stem + suffix)
  }
}
