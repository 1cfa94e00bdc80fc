// Partial files
// =============
//
// A file that arrives in chunks lies in the hidden subfolder `.partial/` of the received folder until it is complete:
//
//   <transfer id>         the bytes received so far; the id is 32 hex digits
//   <transfer id>.owner   the tag of the sender it belongs to
//   <transfer id>-<tag>   the partial file of another sender of the same file
//
// Owners. Only its owner continues a partial file, so nobody can write into the file of another. The first sender of a
// file gets the name <transfer id>, which other implementations use too, and its tag goes into the .owner file. Another
// sender of the same file gets a name with its tag. A partial file without an owner, written by another implementation
// or left by a crash, goes to the first sender that asks for it.
//
// Resume offset. The size of the partial file is the offset at which its sender continues. Chunks are appended and
// not synced: a power cut may leave a wrong end. That is found when the file is complete, by its SHA-256, which
// covers every byte on the disk. A file that does not match is removed and sent again from the start.
//
// One writer. A transfer holds its entry open. A newer transfer of the same owner closes the older one first. Nobody
// else may remove or count an open entry; its transfer keeps `bytes` up to date.
//
// Publishing. The complete file is checked, synced and published by link() like any received file; then its name here is
// removed. After a crash in between, the partial file has two links. It must not be written to, so `open` replaces it.
//
// Quota. Partial files count for receivedMaxBytes. Idle ones, which no transfer writes, are removed when their space
// is needed, and expire after `partialTimeoutMs`. Until a removal has finished, its names cannot be used: the removal
// would delete a new file of the same name.
//
// Other programs may delete partial files at any time. The folder is listed when it is needed; requests of
// peers cause at most one listing in two seconds.

import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../../async/coalesce.ts'
import { ifExists, retryInFolder } from '../../disk/if-exists.ts'
import { FILE_MODE, FOLDER_MODE } from '../../disk/layout.ts'
import { isOwnerFileName, ownedPartialName, ownerFileName, parsePartialName } from './partial-names.ts'

/** One partial file. */
export interface PartialEntry {
  readonly name: string
  /** Transfer id, 32 hex digits. */
  readonly id: string
  /** Tag of the owner; undefined if the file has no owner yet. */
  owner: string | undefined
  /** Size in bytes. */
  bytes: number
  /** Time of the last write, in ms since the Unix epoch. */
  modified: number
  /** Whether the owner is on the disk, in the name or in an owner file. */
  hasOwnerOnDisk: boolean
  /** Whether a transfer of this process writes it; an entry that is not open is idle. */
  isOpen: boolean
}

/** The partial files of a received folder. */
export class PartialFolder {
  /** Lists the folder; concurrent calls share one listing. */
  readonly refresh: () => Promise<void>
  readonly #dir: string
  readonly #makeParent: () => Promise<void>
  readonly #entries = new Map<string, PartialEntry>()
  /** Removals that are under way, by name. */
  readonly #removals = new Map<string, Promise<void>>()
  #listedAt = Number.NEGATIVE_INFINITY

  /** `makeParent` creates the folder that `dir` lies in. */
  constructor(dir: string, makeParent: () => Promise<void>) {
    this.#dir = dir
    this.#makeParent = makeParent
    this.refresh = coalesce(() => this.#list())
  }

  get entries(): Iterable<PartialEntry> {
    return this.#entries.values()
  }

  /** Size of all partial files in bytes. */
  get bytes(): number {
    return totalSize(this.#entries.values())
  }

  /** Size of the idle partial files in bytes. */
  get idleBytes(): number {
    return totalSize(this.#idle())
  }

  /** Lists the folder if the last listing is older than two seconds. */
  async refreshIfStale(): Promise<void> {
    if (performance.now() - this.#listedAt > FRESH_MS) await this.refresh()
  }

  /** The partial file of the transfer `id` for the owner `tag`, or undefined if there is none. */
  find(id: string, tag: string): PartialEntry | undefined {
    const plain = this.#entries.get(id)
    if (plain?.owner === tag) return plain
    return this.#entries.get(ownedPartialName(id, tag)) ?? (plain?.owner === undefined ? plain : undefined)
  }

  /** The oldest idle partial file of the owner `tag`, or undefined. */
  oldestIdle(tag: string): PartialEntry | undefined {
    return oldest(this.#idle().filter(({ owner }) => owner === tag))
  }

  /** The idle partial file to remove first: the oldest of the owner with the most idle ones. Undefined if none is idle. */
  leastValuable(): PartialEntry | undefined {
    const byOwner = new Map<string | undefined, PartialEntry[]>()
    for (const entry of this.#idle()) {
      const own = byOwner.get(entry.owner)
      if (own) own.push(entry)
      else byOwner.set(entry.owner, [entry])
    }
    return oldest([...byOwner.values()].reduce((most, own) => (own.length > most.length ? own : most), []))
  }

  /** Resolves when the names that {@link acquire} may use are free; undefined if no removal is under way. */
  removalOf(id: string, tag: string): Promise<void> | undefined {
    return this.#removals.get(id) ?? this.#removals.get(ownedPartialName(id, tag))
  }

  /**
   * Opens the entry that {@link find} returns, or a new one, for the owner `tag`. Must not be called while there is
   * a {@link removalOf}.
   */
  acquire(id: string, tag: string): PartialEntry {
    const entry = this.find(id, tag) ?? newEntry(this.#entries.has(id) ? ownedPartialName(id, tag) : id, id)
    this.#entries.set(entry.name, entry)
    entry.owner = tag
    entry.isOpen = true
    return entry
  }

  path(entry: PartialEntry): string {
    return join(this.#dir, entry.name)
  }

  /** Opens the file of an acquired entry, and sets `entry.bytes`. A file with more than `size` bytes is emptied. */
  async open(entry: PartialEntry, size: number): Promise<FileHandle> {
    if (!entry.hasOwnerOnDisk) await this.#writeOwner(entry)
    const handle = await this.#inFolder(() => this.#openFile(this.path(entry)))
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw new Error('the partial file is not a regular file')
      if (stats.size > size) await handle.truncate()
      entry.bytes = stats.size > size ? 0 : stats.size
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Removes a partial file, then stops counting it. Never rejects: a file that stays behind expires. */
  remove(entry: PartialEntry): Promise<void> {
    const begun = this.#removals.get(entry.name)
    if (begun) return begun
    const removal = this.unlink(entry).then(() => {
      this.forget(entry)
      this.#removals.delete(entry.name)
    })
    this.#removals.set(entry.name, removal)
    return removal
  }

  /** Removes a partial file, and counts it until {@link forget}. Never rejects. */
  async unlink(entry: PartialEntry): Promise<void> {
    // Another entry may have the name by now.
    if (this.#entries.get(entry.name) !== entry) return
    await unlink(this.path(entry)).catch(() => undefined)
    if (entry.name === entry.id) await unlink(join(this.#dir, ownerFileName(entry.id))).catch(() => undefined)
  }

  /** Stops counting a partial file. */
  forget(entry: PartialEntry): void {
    if (this.#entries.get(entry.name) === entry) this.#entries.delete(entry.name)
  }

  /** Removes idle partial files that were not written for `timeout` ms, and resolves with their number. */
  async sweep(timeout: number): Promise<number> {
    await this.refresh()
    // A time in the future, from a clock that was set back, expires as well.
    const isExpired = (modified: number) => Math.abs(Date.now() - modified) > timeout
    let swept = 0
    for (const entry of [...this.#entries.values()]) {
      if (entry.isOpen || !isExpired(entry.modified)) continue
      await this.remove(entry)
      swept++
    }
    for (const name of await this.#names()) {
      if (!isOwnerFileName(name) || this.#entries.has(name.slice(0, name.indexOf('.')))) continue
      const path = join(this.#dir, name)
      const stats = await lstat(path).catch(() => undefined)
      if (stats !== undefined && isExpired(stats.mtimeMs)) await unlink(path).catch(() => undefined)
    }
    return swept
  }

  #idle(): PartialEntry[] {
    return [...this.#entries.values()].filter(({ isOpen }) => !isOpen)
  }

  async #list(): Promise<void> {
    this.#listedAt = performance.now()
    const unseen = new Set(this.#entries.values())
    for (const name of await this.#names()) {
      const entry = await this.#update(name)
      if (entry !== undefined) unseen.delete(entry)
    }
    // Entries that were added meanwhile are not in `unseen`. Open ones belong to their transfers.
    for (const entry of unseen) if (!entry.isOpen) this.forget(entry)
  }

  /** Updates the entry of the file `name` from the disk. Undefined if the file is not a partial file. */
  async #update(name: string): Promise<PartialEntry | undefined> {
    const parsed = parsePartialName(name)
    if (parsed === undefined) return undefined
    const known = this.#entries.get(name)
    const bytes = known?.isOpen ? undefined : known?.bytes
    const stats = await lstat(join(this.#dir, name)).catch(() => undefined)
    if (!stats?.isFile()) return undefined
    const { id } = parsed
    const owner = this.#entries.has(name) ? undefined : (parsed.owner ?? (await this.#readOwner(id)))
    const present = this.#entries.get(name)
    // While this waited, a transfer may have written to the file; then the entry is newer than `stats`.
    if (present !== undefined && (present.isOpen || present !== known || present.bytes !== bytes))
      return present
    const entry = present ?? { ...newEntry(name, id), owner, hasOwnerOnDisk: owner !== undefined }
    this.#entries.set(name, entry)
    entry.bytes = stats.size
    entry.modified = stats.mtimeMs
    return entry
  }

  async #writeOwner(entry: PartialEntry): Promise<void> {
    if (entry.name === entry.id) {
      const path = join(this.#dir, ownerFileName(entry.id))
      await this.#inFolder(() => writeFile(path, entry.owner ?? '', { mode: FILE_MODE }))
    }
    entry.hasOwnerOnDisk = true
  }

  async #readOwner(id: string): Promise<string | undefined> {
    const text = await readFile(join(this.#dir, ownerFileName(id)), 'latin1').catch(() => '')
    // A crash may have left the file empty.
    return text === '' ? undefined : text
  }

  #names(): Promise<string[]> {
    return ifExists(readdir(this.#dir), [])
  }

  async #openFile(path: string): Promise<FileHandle> {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants
    const handle = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE)
    if ((await handle.stat()).nlink <= 1) return handle
    await handle.close()
    await unlink(path)
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE)
  }

  /** Runs `task`. If the folder is missing, creates it and runs `task` once more. */
  #inFolder<T>(task: () => Promise<T>): Promise<T> {
    return retryInFolder(async () => {
      await this.#makeParent()
      await mkdir(this.#dir, { recursive: true, mode: FOLDER_MODE })
    }, task)
  }
}

const FRESH_MS = 2_000

function newEntry(name: string, id: string): PartialEntry {
  return { name, id, owner: undefined, bytes: 0, modified: Date.now(), hasOwnerOnDisk: false, isOpen: false }
}

function oldest(entries: readonly PartialEntry[]): PartialEntry | undefined {
  let found: PartialEntry | undefined
  for (const entry of entries) if (found === undefined || entry.modified < found.modified) found = entry
  return found
}

function totalSize(entries: Iterable<PartialEntry>): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.bytes
  return bytes
}
