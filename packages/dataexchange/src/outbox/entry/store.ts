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

/** Which files of one entry are there. */
export interface StoredEntry extends EntryName {
  readonly stem: string
  readonly hasState: boolean
  readonly hasFailed: boolean
}

/** What {@link EntryStore.add} writes. */
export interface NewEntry {
  readonly head: EntryHead
  readonly seq: number
  readonly payload: AsyncIterable<Uint8Array> | Iterable<Uint8Array>
  /** Awaited when the entry is whole, before anybody sees it; where it rejects, nobody does. */
  beforePublish(bytes: number): Promise<void>
  /** Called when all can see it, before that is durable. */
  onPublished(): void
}

/**
 * The files of an outbox: one for each entry, with all that is to be sent, and beside it what became of the
 * tries. Processes that share an outbox tell each other nothing but by these files: one that is there is to be
 * sent, one that has gone is not, and so on (docs/mailbox-format.md).
 */
export class EntryStore {
  readonly dir: string
  readonly #folder: DurableFolder

  constructor(dir: string) {
    this.dir = dir
    this.#folder = new DurableFolder(folderLayout(dir), true)
  }

  /** Makes the folder where it is missing. */
  make(): Promise<void> {
    return this.#folder.make()
  }

  /** Makes all durable that was added, removed or renamed before; shared by those who ask at once. */
  sync(): Promise<void> {
    return this.#folder.sync()
  }

  /** Removes what processes that died were writing. */
  async sweep(): Promise<void> {
    await sweepTemporaries(this.#folder.layout)
  }

  /** The entries in the folder, in their order, and the stems of leftovers that belong to none. */
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

  /** Writes an entry. Resolves when it is durable; where it rejects, there is none. */
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
    // One sync of the folder for all that are added meanwhile.
    const [synced] = await Promise.allSettled([this.sync(), file.discard()])
    if (synced.status === 'fulfilled') return
    // A part of what could not be synced may have reached the disk.
    await removeFile(path).catch(() => undefined)
    await this.sync().catch(() => undefined)
    throw synced.reason
  }

  /** Whether the entry is there. */
  async has(stem: string): Promise<boolean> {
    return (await ifExists(lstat(this.#path(stem, ENTRY_SUFFIX)), undefined)) !== undefined
  }

  /** Removes an entry. Resolves with false where it had gone already. {@link sync} makes it durable. */
  async remove(stem: string): Promise<boolean> {
    // The entry first: what is left of it without it is swept, an entry without its state would be sent anew.
    const wasThere = await removeFile(this.#path(stem, ENTRY_SUFFIX))
    await this.removeState(stem)
    return wasThere
  }

  /**
   * Removes an entry that may be being sent. Resolves with whether it may have been, or undefined where it had
   * gone already. {@link sync} makes it durable.
   */
  async take(stem: string): Promise<boolean | undefined> {
    // Who sends writes down that it will, and opens the entry then: with the entry gone, what is not written
    // down by now is not sent.
    if (!(await removeFile(this.#path(stem, ENTRY_SUFFIX)))) return undefined
    const state = (await this.readFailure(stem)) ?? (await this.readState(stem))
    await this.removeState(stem)
    return state?.maybeStored ?? false
  }

  /** Removes all that is known about an entry but the entry. */
  async removeState(stem: string): Promise<void> {
    await removeFile(this.#path(stem, STATE_SUFFIX))
    await removeFile(this.#path(stem, FAILED_SUFFIX))
  }

  /** Undefined where it was never tried. */
  async readState(stem: string): Promise<EntryState | undefined> {
    return this.#stateIn(this.#path(stem, STATE_SUFFIX))
  }

  /** Not synced: what it says is of use to the living, and lost without harm. */
  async writeState(stem: string, state: EntryState): Promise<void> {
    await this.#replace(this.#path(stem, STATE_SUFFIX), encodeState(state), false)
  }

  /** Undefined where the entry has not failed. */
  async readFailure(stem: string): Promise<EntryState | undefined> {
    return this.#stateIn(this.#path(stem, FAILED_SUFFIX))
  }

  /** From here on the entry is listed and not tried. Resolves when that is durable. */
  async fail(stem: string, state: EntryState): Promise<void> {
    await this.#replace(this.#path(stem, FAILED_SUFFIX), encodeState(state), true)
    await removeFile(this.#path(stem, STATE_SUFFIX))
    await this.sync()
  }

  /**
   * The entry is to be tried at once; one that has failed gets its whole time again. Resolves when that is
   * durable.
   */
  async renew(stem: string, hasFailed: boolean): Promise<void> {
    const now = new Date()
    if (hasFailed) await utimes(this.#path(stem, ENTRY_SUFFIX), now, now)
    await this.removeState(stem)
    await this.sync()
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
