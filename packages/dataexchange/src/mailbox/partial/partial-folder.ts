import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, readdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../../async/coalesce.ts'
import { ifThere } from '../../disk/if-exists.ts'
import { FILE_MODE, FOLDER_MODE } from '../../disk/layout.ts'
import { systemCode } from '../../system-errors.ts'
import { isOwnerFileName, ownerFileName, ownersPartialName, parsePartialName } from './partial-names.ts'

/** One partial file. */
export interface PartialEntry {
  readonly name: string
  readonly id: string
  /** Whose it is, as of `ownerTag`; undefined where nobody's: the first who asks for it gets it. */
  owner: string | undefined
  bytes: number
  /** When it was written last: ms since the Unix epoch. */
  modified: number
  /** The disk tells whose it is, too. */
  isRecorded: boolean
  /** A transfer of this process is writing it. */
  isOpen: boolean
}

/**
 * The partial files of transfers (section 4), in a hidden subfolder of the received files: listed at need,
 * since other programs may delete them at any moment.
 */
export class PartialFolder {
  /** Lists the folder; calls share runs. */
  readonly refresh: () => Promise<void>
  readonly #dir: string
  readonly #makeParent: () => Promise<void>
  readonly #entries = new Map<string, PartialEntry>()
  /** By name: those that are being removed. */
  readonly #removals = new Map<string, Promise<void>>()
  #listedAt = Number.NEGATIVE_INFINITY

  /** `makeParent` makes the folder that `dir` is to lie in. */
  constructor(dir: string, makeParent: () => Promise<void>) {
    this.#dir = dir
    this.#makeParent = makeParent
    this.refresh = coalesce(() => this.#list())
  }

  get entries(): Iterable<PartialEntry> {
    return this.#entries.values()
  }

  /** The size of all partial files. */
  get bytes(): number {
    return totalSize(this.#entries.values())
  }

  /** Of those that nobody is going on with. */
  get idleBytes(): number {
    return totalSize(this.#idle())
  }

  /** Lists the folder unless that was done within the last seconds: no peer can make it be listed all the time. */
  async refreshOld(): Promise<void> {
    if (performance.now() - this.#listedAt > FRESH_MS) await this.refresh()
  }

  /**
   * The partial file of the transfer `id` for the owner `tag`, or undefined where there is none yet:
   * `<hex id>`, unless that is another's.
   */
  find(id: string, tag: string): PartialEntry | undefined {
    const plain = this.#entries.get(id)
    if (plain?.owner === tag) return plain
    return this.#entries.get(ownersPartialName(id, tag)) ?? (plain?.owner === undefined ? plain : undefined)
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

  /** Resolves when what {@link claim} may use is no more being removed; undefined where it is not. */
  removalOf(id: string, tag: string): Promise<void> | undefined {
    return this.#removals.get(id) ?? this.#removals.get(ownersPartialName(id, tag))
  }

  /**
   * The partial file of {@link find}, or one to be made; it is the owner's from now on, and open. Not to be called while
   * there is a {@link removalOf}: that would take the names of the new one.
   */
  claim(id: string, tag: string): PartialEntry {
    const entry = this.find(id, tag) ?? newEntry(this.#entries.has(id) ? ownersPartialName(id, tag) : id, id)
    this.#entries.set(entry.name, entry)
    entry.owner = tag
    entry.isOpen = true
    return entry
  }

  path(entry: PartialEntry): string {
    return join(this.#dir, entry.name)
  }

  /**
   * Opens the file of a claimed entry; `entry.bytes` is what it holds then. One that holds more than `size`
   * bytes starts anew.
   */
  async open(entry: PartialEntry, size: number): Promise<FileHandle> {
    if (!entry.isRecorded) await this.#record(entry)
    const handle = await this.#made(() => this.#openFile(this.path(entry)))
    try {
      const stats = await handle.stat()
      if (!stats.isFile()) throw new Error('the partial file is no file')
      if (stats.size > size) await handle.truncate()
      entry.bytes = stats.size > size ? 0 : stats.size
      return handle
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Removes a partial file and counts it no more. Never rejects: one that stays behind expires. */
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

  /** Removes a partial file, and counts it still, until {@link forget}. Never rejects, as {@link remove}. */
  async unlink(entry: PartialEntry): Promise<void> {
    // Its name may be another's by now.
    if (this.#entries.get(entry.name) !== entry) return
    await unlink(this.path(entry)).catch(() => undefined)
    if (entry.name === entry.id) await unlink(join(this.#dir, ownerFileName(entry.id))).catch(() => undefined)
  }

  /** Counts a partial file no more. */
  forget(entry: PartialEntry): void {
    if (this.#entries.get(entry.name) === entry) this.#entries.delete(entry.name)
  }

  /** Removes what nobody has touched for `timeout` ms, and returns how many partial files that were. */
  async sweep(timeout: number): Promise<number> {
    await this.refresh()
    const isOld = (modified: number) => Math.abs(Date.now() - modified) > timeout
    let swept = 0
    for (const entry of [...this.#entries.values()]) {
      if (entry.isOpen || !isOld(entry.modified)) continue
      await this.remove(entry)
      swept++
    }
    for (const name of await this.#names()) {
      if (!isOwnerFileName(name) || this.#entries.has(name.slice(0, name.indexOf('.')))) continue
      const path = join(this.#dir, name)
      const stats = await lstat(path).catch(() => undefined)
      if (stats !== undefined && isOld(stats.mtimeMs)) await unlink(path).catch(() => undefined)
    }
    return swept
  }

  /** The partial files that no transfer of this process writes. */
  #idle(): PartialEntry[] {
    return [...this.#entries.values()].filter(({ isOpen }) => !isOpen)
  }

  async #list(): Promise<void> {
    this.#listedAt = performance.now()
    const known = new Set(this.#entries.values())
    for (const name of await this.#names()) {
      const entry = await this.#look(name)
      if (entry !== undefined) known.delete(entry)
    }
    // What was added meanwhile may have been passed over, and what is open is its transfer's.
    for (const entry of known) if (!entry.isOpen) this.forget(entry)
  }

  async #look(name: string): Promise<PartialEntry | undefined> {
    const parsed = parsePartialName(name)
    if (parsed === undefined) return undefined
    const known = this.#entries.get(name)
    const bytes = known?.isOpen ? undefined : known?.bytes
    const stats = await lstat(join(this.#dir, name)).catch(() => undefined)
    if (!stats?.isFile()) return undefined
    const { id } = parsed
    const owner = this.#entries.has(name) ? undefined : (parsed.owner ?? (await this.#ownerOf(id)))
    const present = this.#entries.get(name)
    // A transfer may have written to it since it was looked at, and be over.
    if (present !== undefined && (present.isOpen || present !== known || present.bytes !== bytes))
      return present
    const entry = present ?? { ...newEntry(name, id), owner, isRecorded: owner !== undefined }
    this.#entries.set(name, entry)
    entry.bytes = stats.size
    entry.modified = stats.mtimeMs
    return entry
  }

  /** In a file of its own: `<hex id>` alone is the name that other implementations look for. */
  async #record(entry: PartialEntry): Promise<void> {
    if (entry.name === entry.id) {
      const path = join(this.#dir, ownerFileName(entry.id))
      await this.#made(() => writeFile(path, entry.owner ?? '', { mode: FILE_MODE }))
    }
    entry.isRecorded = true
  }

  async #ownerOf(id: string): Promise<string | undefined> {
    const text = await readFile(join(this.#dir, ownerFileName(id)), 'latin1').catch(() => '')
    // A crash may have left it empty: then it is nobody's.
    return text === '' ? undefined : text
  }

  #names(): Promise<string[]> {
    return ifThere(readdir(this.#dir), [])
  }

  async #openFile(path: string): Promise<FileHandle> {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants
    const handle = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, FILE_MODE)
    if ((await handle.stat()).nlink <= 1) return handle
    // It has been published, and a crash kept this name of it from being removed: it must not be written to.
    await handle.close()
    await unlink(path)
    return open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE)
  }

  /** Runs `use` in the folder, which is made where it is missing. */
  async #made<T>(use: () => Promise<T>): Promise<T> {
    try {
      return await use()
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      await this.#makeParent()
      await mkdir(this.#dir, { recursive: true, mode: FOLDER_MODE })
      return use()
    }
  }
}

const FRESH_MS = 2_000

function newEntry(name: string, id: string): PartialEntry {
  return { name, id, owner: undefined, bytes: 0, modified: Date.now(), isRecorded: false, isOpen: false }
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
