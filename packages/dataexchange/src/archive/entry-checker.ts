import { KiB, utf8 } from '../bytes.ts'
import { MAX_FILE_NAME } from '../frame-limits.ts'
import { FIXED_LIMITS } from '../limits.ts'
import { archiveError } from './archive-error.ts'
import type { FolderManifest } from './manifest.ts'
import type { TarEntry } from './tar-entry.ts'

/**
 * Nesting of a folder that is sent, including the outermost; a deeper folder is refused, and is not unpacked
 * by the receiver.
 * @limit count
 */
const FOLDER_DEPTH = 100

/**
 * Longest path in a folder that is sent, from the name of the folder on; a folder with a longer one is
 * refused, and is not unpacked by the receiver.
 * @limit bytes
 */
const FOLDER_PATH = 2 * KiB

/**
 * Checks whether the entries of the archive of a folder may be unpacked. Each entry must lie below the root, in a
 * folder that precedes it, and have a safe, unique name, even on a file system that ignores case and normalises
 * accents. The totals must match the manifest.
 */
export class EntryChecker {
  readonly #manifest: FolderManifest
  /** The paths of all entries so far, folded as by a file system that ignores case and normalises accents. */
  readonly #taken = new Set<string>()
  /** The paths of the folders so far, not folded. */
  readonly #folders = new Set<string>()
  #files = 0
  #bytes = 0

  /** @throws {MailboxError} ARCHIVE_INVALID if the manifest exceeds a limit */
  constructor(manifest: FolderManifest) {
    const { root, files, folders } = manifest
    const max = FIXED_LIMITS.folderEntries.value
    if (files + folders > max)
      throw archiveError(`it has ${files + folders} entries; at most ${max} are allowed`)
    checkPath(root, root.split('/'))
    this.#manifest = manifest
  }

  /**
   * Checks an entry. Returns its path relative to the root; the path of the root itself is empty.
   *
   * @throws {MailboxError} ARCHIVE_INVALID
   */
  accept({ path, kind, size }: TarEntry): string {
    const names = path.split('/')
    checkPath(path, names)
    const shown = JSON.stringify(path)
    const { root, files, folders, bytes } = this.#manifest
    const isRoot = path === root && kind === 'folder'
    if (!isRoot && names[0] !== root) throw archiveError(`${shown} is not below ${JSON.stringify(root)}`)
    if (!isRoot && !this.#folders.has(names.slice(0, -1).join('/'))) {
      throw archiveError(`${shown} comes before its folder`)
    }
    const key = path.normalize('NFC').toLowerCase()
    if (this.#taken.has(key))
      throw archiveError(`${shown} occurs twice, or differs only in case from another path`)
    this.#taken.add(key)
    if (kind === 'folder') this.#folders.add(path)
    else {
      this.#files++
      this.#bytes += size
    }
    if (this.#files > files || this.#folders.size - 1 > folders || this.#bytes > bytes) throw unlikeManifest()
    return names.slice(1).join('/')
  }

  /**
   * Checks the totals after the last entry.
   *
   * @throws {MailboxError} ARCHIVE_INVALID
   */
  finish(): void {
    const { files, folders, bytes } = this.#manifest
    const isAll = this.#files === files && this.#folders.size - 1 === folders && this.#bytes === bytes
    if (!isAll) throw unlikeManifest()
  }
}

/** Describes why `path` exceeds the limits of folders that are sent; undefined if it does not. */
export function pathExcess(path: string): string | undefined {
  const depth = FOLDER_DEPTH
  const length = FOLDER_PATH
  if (path.split('/').length > depth) return `is more than ${depth} folders deep`
  return utf8(path).length > length ? `has a path of more than ${length} bytes` : undefined
}

function unlikeManifest(): Error {
  return archiveError('it differs from its manifest')
}

function checkPath(path: string, names: readonly string[]): void {
  const problem = pathExcess(path) ?? names.map(problemOf).find(found => found !== undefined)
  // The path itself may be too long for a message.
  if (problem !== undefined) throw archiveError(`${JSON.stringify(path.slice(0, MAX_SHOWN))} ${problem}`)
}

const MAX_SHOWN = 200

function problemOf(name: string): string | undefined {
  if (name === '') return 'begins with a slash, or has an empty name in it'
  if (name === '.' || name === '..') return 'leads out of its folder'
  if (utf8(name).length > MAX_FILE_NAME) {
    return `has a name of more than ${MAX_FILE_NAME} bytes`
  }
  if (UNSAFE.test(name)) return 'has an unsafe character'
  if (process.platform === 'win32' && UNSAFE_ON_WINDOWS.test(name)) return 'is not a valid name on Windows'
  return undefined
}

// Control characters, lone surrogates, line and paragraph separators, bidirectional controls, the byte order mark, and
// the backslash, which separates folders on Windows. Joiners are allowed: names in several scripts need them.
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\\]/u
const UNSAFE_ON_WINDOWS = /[<>:"|?*]|[. ]$|^(?:con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(?:\.|$)/i
