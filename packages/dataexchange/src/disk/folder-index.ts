import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NameChoice } from './durable-folder.ts'
import { ifExists } from './if-exists.ts'
import { measureTree, usageOf } from './measure-tree.ts'

/** One file of a folder, or a subfolder that is counted as one entry. */
export interface FolderEntry {
  readonly name: string
  /** The size in bytes. */
  readonly size: number
  /** The number of files: 1 for a file; for a subfolder, all its contents and itself. */
  readonly files: number
  readonly mtimeMs: number
  /** The number of listings that had started when it was added. */
  readonly listing: number
  /** Whether the file is no longer in the folder. */
  gone: boolean
}

/**
 * In-memory index of a folder. The folder is listed once; then the code that writes and removes files updates the
 * index. {@link refresh} compares it with the folder, since other programs write and remove files there, too.
 */
export class FolderIndex {
  readonly #dir: string
  readonly #accepts: (name: string) => boolean
  readonly #onForget: (entry: FolderEntry) => void
  readonly #acceptsFolder: (name: string) => boolean
  readonly #entries = new Map<string, FolderEntry>()
  /** Names of files that are being written. A listing may see them, but their writer counts them. */
  readonly #reserved = new Set<string>()
  #files = 0
  #bytes = 0
  #listings = 0
  #listedAt = Number.NEGATIVE_INFINITY

  /**
   * The index is empty until {@link refresh} is called. Only files whose names pass `accepts` count. `onForget` is
   * called for each file that leaves the index. A subfolder whose name passes `acceptsFolder` counts with its contents
   * when it was first seen: measuring it again each time would cost too much.
   */
  constructor(
    dir: string,
    accepts: (name: string) => boolean,
    onForget: (entry: FolderEntry) => void = () => {},
    acceptsFolder: (name: string) => boolean = () => false,
  ) {
    this.#dir = dir
    this.#accepts = accepts
    this.#onForget = onForget
    this.#acceptsFolder = acceptsFolder
  }

  /** The number of all files, including the contents of subfolders. */
  get files(): number {
    return this.#files
  }

  /** The total size of all files in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Milliseconds since the last listing started. */
  get listingAge(): number {
    return performance.now() - this.#listedAt
  }

  /** Adds a file that was just written, or a subfolder that counts as `files` files. */
  add(name: string, size: number, files = 1): FolderEntry {
    return this.#insert({ name, size, files, mtimeMs: Date.now(), listing: this.#listings, gone: false })
  }

  /** Removes `entry` from the index. */
  forget(entry: FolderEntry): void {
    if (entry.gone) return
    entry.gone = true
    this.#entries.delete(entry.name)
    this.#files -= entry.files
    this.#bytes -= entry.size
    this.#onForget(entry)
  }

  /** Removes the file `name` from the index. */
  remove(name: string): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) this.forget(entry)
  }

  /** Returns a name from `make` for a file to be written. Listings ignore it until {@link ReservedName.release}. */
  reserveName(make: () => string): ReservedName {
    return new ReservedName(this.#reserved, make)
  }

  /**
   * Lists the folder. Removes the files that other programs have removed from the index, and adds and returns those
   * that they have written. Calls must not overlap.
   */
  async refresh(): Promise<FolderEntry[]> {
    this.#listings++
    this.#listedAt = performance.now()
    const seen = await this.#list()
    const unknown = [...seen].filter(name => !this.#entries.has(name))
    for (const entry of this.#entries.values()) {
      // The listing may have missed a file that was added during it.
      if (!seen.has(entry.name) && entry.listing !== this.#listings) this.forget(entry)
    }
    return this.#statAll(unknown)
  }

  async #list(): Promise<Set<string>> {
    const read = async () => {
      const names = new Set<string>()
      for await (const entry of await opendir(this.#dir, { bufferSize: LISTING_BUFFER })) {
        const { name } = entry
        if (entry.isFile() ? this.#accepts(name) : entry.isDirectory() && this.#acceptsFolder(name))
          names.add(name)
      }
      return names
    }
    // A removed folder is empty; the next store creates it again.
    return ifExists(read(), new Set())
  }

  async #statAll(names: readonly string[]): Promise<FolderEntry[]> {
    const found: FolderEntry[] = []
    for (let i = 0; i < names.length; i += STATS_AT_ONCE) {
      const some = names.slice(i, i + STATS_AT_ONCE)
      const entries = await Promise.all(some.map(name => this.#stat(name)))
      for (const entry of entries) {
        if (entry === undefined || this.#reserved.has(entry.name) || this.#entries.has(entry.name)) continue
        found.push(this.#insert(entry))
      }
    }
    return found
  }

  async #stat(name: string): Promise<FolderEntry | undefined> {
    const path = join(this.#dir, name)
    const stats = await ifExists(lstat(path), undefined)
    if (stats === undefined) return undefined
    const { files, bytes } = stats.isDirectory()
      ? usageOf(await measureTree(path))
      : { files: 1, bytes: stats.size }
    return { name, size: bytes, files, mtimeMs: stats.mtimeMs, listing: this.#listings, gone: false }
  }

  #insert(entry: FolderEntry): FolderEntry {
    const before = this.#entries.get(entry.name)
    if (before !== undefined) this.forget(before)
    this.#entries.set(entry.name, entry)
    this.#files += entry.files
    this.#bytes += entry.size
    return entry
  }
}

/** The reserved name of a file that is being written. */
export class ReservedName implements NameChoice {
  readonly #reserved: Set<string>
  readonly #make: () => string
  name: string

  constructor(reserved: Set<string>, make: () => string) {
    this.#reserved = reserved
    this.#make = make
    this.name = make()
    reserved.add(this.name)
  }

  next(): void {
    this.release()
    this.name = this.#make()
    this.#reserved.add(this.name)
  }

  release(): void {
    this.#reserved.delete(this.name)
  }
}

const LISTING_BUFFER = 512
const STATS_AT_ONCE = 64
