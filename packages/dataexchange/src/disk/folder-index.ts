import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NameChoice } from './durable-folder.ts'
import { ifThere } from './if-exists.ts'
import { countOf, measureTree } from './measure-tree.ts'

/** One file of a folder, or a subfolder that counts as one. */
export interface FolderEntry {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Files that it counts as: of a subfolder, with all that is in it. */
  readonly files: number
  readonly mtimeMs: number
  /** How many listings had begun when it was added. */
  readonly listing: number
  /** Set when the file is no longer in the folder. */
  gone: boolean
}

/**
 * What is in a folder, in memory: listed once, then kept up by those who write and remove, and compared
 * with the folder on demand, since other programs write and remove there too.
 */
export class FolderIndex {
  readonly #dir: string
  readonly #accepts: (name: string) => boolean
  readonly #onForget: (entry: FolderEntry) => void
  readonly #acceptsFolder: (name: string) => boolean
  readonly #entries = new Map<string, FolderEntry>()
  /** Names that are being written: a listing may see them, but they are counted by whoever writes them. */
  readonly #claims = new Set<string>()
  #files = 0
  #bytes = 0
  #listings = 0
  #listedAt = Number.NEGATIVE_INFINITY

  /**
   * Nothing is listed yet: call {@link refresh}. Only files whose name `accepts` takes count. `onForget` is
   * told of every file that counts no more. A subfolder whose name `acceptsFolder` takes counts with all that was
   * in it when it was first seen: to look again each time would cost too much.
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

  /** All of them, what subfolders hold included. */
  get files(): number {
    return this.#files
  }

  /** The size of all files. */
  get bytes(): number {
    return this.#bytes
  }

  /** Milliseconds since the last listing began. */
  get listingAge(): number {
    return performance.now() - this.#listedAt
  }

  /** Counts a file that has just been written, or a subfolder with so many `files` in it, itself included. */
  add(name: string, size: number, files = 1): FolderEntry {
    return this.#insert({ name, size, files, mtimeMs: Date.now(), listing: this.#listings, gone: false })
  }

  /** Counts `entry` no more. */
  forget(entry: FolderEntry): void {
    if (entry.gone) return
    entry.gone = true
    this.#entries.delete(entry.name)
    this.#files -= entry.files
    this.#bytes -= entry.size
    this.#onForget(entry)
  }

  /** Counts the file `name` no more. */
  remove(name: string): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) this.forget(entry)
  }

  /** Names for a file to be written, from `make`; each is kept out of listings until {@link NameClaim.release}. */
  claim(make: () => string): NameClaim {
    return new NameClaim(this.#claims, make)
  }

  /**
   * Lists the folder: forgets what others have removed, and returns what they have put there. Not to be run
   * twice at once.
   */
  async refresh(): Promise<FolderEntry[]> {
    this.#listings++
    this.#listedAt = performance.now()
    const seen = await this.#list()
    const unknown = [...seen].filter(name => !this.#entries.has(name))
    for (const entry of this.#entries.values()) {
      // A file that was added while the folder was being read may have been passed over.
      if (!seen.has(entry.name) && entry.listing !== this.#listings) this.forget(entry)
    }
    return this.#look(unknown)
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
    // A folder that has been removed is empty; the next store makes it again.
    return ifThere(read(), new Set())
  }

  async #look(names: readonly string[]): Promise<FolderEntry[]> {
    const found: FolderEntry[] = []
    for (let i = 0; i < names.length; i += LOOKS_AT_ONCE) {
      const some = names.slice(i, i + LOOKS_AT_ONCE)
      const entries = await Promise.all(some.map(name => this.#stat(name)))
      for (const entry of entries) {
        if (entry === undefined || this.#claims.has(entry.name) || this.#entries.has(entry.name)) continue
        found.push(this.#insert(entry))
      }
    }
    return found
  }

  async #stat(name: string): Promise<FolderEntry | undefined> {
    const path = join(this.#dir, name)
    const stats = await ifThere(lstat(path), undefined)
    if (stats === undefined) return undefined
    const { files, bytes } = stats.isDirectory()
      ? countOf(await measureTree(path))
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

/** The name that one file is being written under. */
export class NameClaim implements NameChoice {
  readonly #claims: Set<string>
  readonly #make: () => string
  name: string

  constructor(claims: Set<string>, make: () => string) {
    this.#claims = claims
    this.#make = make
    this.name = make()
    claims.add(this.name)
  }

  next(): void {
    this.release()
    this.name = this.#make()
    this.#claims.add(this.name)
  }

  release(): void {
    this.#claims.delete(this.name)
  }
}

const LISTING_BUFFER = 512
const LOOKS_AT_ONCE = 64
