import type { BigIntStats } from 'node:fs'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathExcess } from '../../archive/entry-checker.ts'
import { decodeUtf8 } from '../../bytes.ts'
import { DeliveryError } from '../../errors.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import { systemCode } from '../../system-errors.ts'

/** A file or folder to send, as it was when it was listed. */
export interface ListedEntry {
  /** Relative path with `/`; empty for the folder itself. */
  readonly path: string
  readonly kind: 'file' | 'folder'
  readonly stats: EntryStats
}

/** The properties that show a change of an entry. */
export interface EntryStats {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  /** Permission bits. */
  readonly mode: number
}

/** The content of a folder. */
export interface FolderListing {
  /** Each folder before its content; names in an order that does not depend on the machine. */
  readonly entries: readonly ListedEntry[]
  /** Paths that were left out. */
  readonly skipped: readonly string[]
}

/** Options of {@link listFolder}. */
export interface ListOptions {
  /** Name of the folder in the archive. */
  root: string
  /** Whether to leave out links, devices, sockets and FIFOs, which are an error otherwise. */
  skipSpecial: boolean
  signal?: AbortSignal | undefined
}

/**
 * Lists the folder `dir` recursively. Does not follow symbolic links.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE for an entry that cannot be read or sent
 */
export async function listFolder(dir: string, options: ListOptions): Promise<FolderListing> {
  const { root, skipSpecial, signal } = options
  const entries: ListedEntry[] = []
  const skipped: string[] = []
  /** Paths left to visit, the next one last. */
  const waiting = ['']
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    signal?.throwIfAborted()
    const full = join(dir, path)
    const stats = await reading(full, () => lstat(full, { bigint: true }))
    if (!stats.isFile() && !stats.isDirectory()) {
      if (!skipSpecial)
        throw unsendable(full, `is ${kindOf(stats)}, which cannot be sent; ${SKIP} leaves it out`)
      skipped.push(path)
      continue
    }
    const excess = pathExcess(path === '' ? root : `${root}/${path}`)
    if (excess !== undefined) throw unsendable(full, excess)
    entries.push({ path, kind: stats.isFile() ? 'file' : 'folder', stats: toEntryStats(stats) })
    if (entries.length - 1 > FIXED_LIMITS.folderEntries.value) throw tooMany(dir)
    if (stats.isDirectory()) {
      const names = await namesIn(full)
      if (names.length + waiting.length > FIXED_LIMITS.folderEntries.value) throw tooMany(dir)
      for (const name of names.reverse()) waiting.push(path === '' ? name : `${path}/${name}`)
    }
  }
  return { entries, skipped }
}

/** The absolute path of `path` if it is a folder or a link to one; else undefined. */
export async function folderAt(path: string | URL): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ? realpath(path) : undefined
}

export function toEntryStats({ dev, ino, size, mtimeNs, mode }: BigIntStats): EntryStats {
  return { dev, ino, size, mtimeNs, mode: Number(mode & 0o777n) }
}

/** Runs `read` and turns a system error into SOURCE_UNREADABLE with `path`. */
export async function reading<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const code = systemCode(cause)
    if (code === undefined) throw cause
    const why = code === 'EACCES' ? 'permission denied' : code
    throw new DeliveryError('SOURCE_UNREADABLE', `${path} cannot be read: ${why}`, { cause })
  }
}

const SKIP = 'skipSpecial (--skip-special)'

async function namesIn(dir: string): Promise<string[]> {
  const names = await reading(dir, () => readdir(dir, { encoding: 'buffer' }))
  const texts = names.map(name => {
    const text = decodeUtf8(name)
    if (text !== undefined) return text
    const shown = JSON.stringify(name.toString('latin1'))
    throw unsendable(join(dir, shown), 'has a name that is not UTF-8, which cannot be sent')
  })
  return texts.sort((a, b) => (a < b ? -1 : 1))
}

function unsendable(path: string, why: string): DeliveryError {
  return new DeliveryError('SOURCE_UNREADABLE', `${path} ${why}`)
}

function tooMany(dir: string): DeliveryError {
  const most = FIXED_LIMITS.folderEntries.value
  return unsendable(dir, `holds more than ${most} files and folders; pack it yourself, and send the archive`)
}

function kindOf(stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return 'a symbolic link'
  if (stats.isSocket()) return 'a socket'
  return stats.isFIFO() ? 'a FIFO' : 'a device'
}
