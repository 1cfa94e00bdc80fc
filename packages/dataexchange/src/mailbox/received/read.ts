import { lstat, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ifExists, removeFile } from '../../disk/if-exists.ts'
import { folderLayout, temporaryPath } from '../../disk/layout.ts'
import { measureTree } from '../../disk/measure-tree.ts'
import { partialDir } from '../layout.ts'
import { isUnpackedName } from '../names.ts'
import { isOwnerFileName, parsePartialName } from '../partial/partial-names.ts'
import { type FileRecord, readRecord, removeRecord } from './records.ts'

/**
 * A file or unpacked folder in the received folder. The fields of {@link FileRecord} are there if the file has a record;
 * files that another program has put there have none.
 */
export interface ReceivedFile extends Partial<Omit<FileRecord, 'size'>> {
  /** Name on the disk. */
  readonly name: string
  readonly path: string
  /** Size in bytes; for a folder, the sum over all files in it. */
  readonly size: number
  /** Number of files in a folder; undefined for a file. */
  readonly files?: number
  /** Time of the last change, in ms since the Unix epoch. */
  readonly modifiedAt: number
  /** Why the record cannot be used, for people. */
  readonly damagedRecord?: string
}

/** Which received files match. */
export interface ReceivedMatch {
  /** Only files from this sender, an address as text. @default all */
  from?: string | undefined
  /** Only files with this text in their name, or in the name that the sender gave; case does not matter. @default all */
  name?: string | undefined
}

/** Selects files for {@link listReceived}. */
export interface ReceivedFilter extends ReceivedMatch {
  /** Maximum number of files to return. @default all */
  limit?: number | undefined
  /** Only files changed at this time or later, in ms since the Unix epoch. @default all */
  since?: number | undefined
}

/** The newest files, and their total number. */
export interface ReceivedList {
  /** Newest first. */
  readonly files: readonly ReceivedFile[]
  /** The number of files that the filter selects, without its limit. */
  readonly total: number
}

/**
 * Lists the newest files of the received folder `dir`. An unpacked folder counts as one file; other subfolders and
 * hidden files are ignored. A missing folder is empty. `from` and `name` read the record of every file.
 *
 * @throws the file system's error, such as ENOTDIR, if the folder cannot be read
 */
export async function listReceived(dir: string, filter: ReceivedFilter = {}): Promise<ReceivedList> {
  const { limit = Number.POSITIVE_INFINITY, since = 0 } = filter
  const found = (await findFiles(dir)).filter(({ modifiedAt: modified }) => modified >= since)
  found.sort((a, b) => b.modifiedAt - a.modifiedAt || (a.name < b.name ? 1 : -1))
  if (filter.from === undefined && filter.name === undefined) {
    const files = await Promise.all(found.slice(0, limit).map(file => withRecord(dir, file)))
    return { files, total: found.length }
  }
  const files: ReceivedFile[] = []
  let total = 0
  for (const file of found) {
    const described = await withRecord(dir, file)
    if (!matchesReceived(described, filter)) continue
    total++
    if (files.length < limit) files.push(described)
  }
  return { files, total }
}

/** Describes the file or unpacked folder `name` of the received folder `dir`. Undefined if it does not exist. */
export async function statReceived(dir: string, name: string): Promise<ReceivedFile | undefined> {
  const file = await findFile(dir, name)
  return file && withRecord(dir, file)
}

/**
 * Removes files and unpacked folders from the received folder `dir`, with their records. Other subfolders and hidden
 * files stay. Resolves with the number of files removed and the number of files that stay.
 *
 * @param before removes only files changed before this time, in ms since the Unix epoch. @default all
 * @throws the file system's error if the folder cannot be read, or a file cannot be removed
 */
export async function clearReceived(
  dir: string,
  before: number = Number.POSITIVE_INFINITY,
): Promise<{ cleared: number; remaining: number }> {
  let cleared = 0
  let remaining = 0
  for (const { name, path, modifiedAt: modified, isFolder } of await findFiles(dir)) {
    if (modified >= before) {
      remaining++
      continue
    }
    if (await (isFolder ? removeFolder(dir, path) : removeFile(path))) cleared++
    // The file goes first: a record without a file is swept, but a file without its record has lost it.
    await removeRecord(dir, name)
  }
  return { cleared, remaining }
}

/**
 * Removes the partial files of the received folder `dir`, and resolves with their number. A transfer that is writing
 * one fails, and its sender can send the file again.
 *
 * @param before removes only partial files changed before this time, in ms since the Unix epoch. @default all
 * @throws the file system's error if the folder cannot be read, or a file cannot be removed
 */
export async function clearPartials(dir: string, before: number = Number.POSITIVE_INFINITY): Promise<number> {
  const partials = partialDir(dir)
  let cleared = 0
  for (const name of await ifExists(readdir(partials), [])) {
    const isPartial = parsePartialName(name) !== undefined
    if (!isPartial && !isOwnerFileName(name)) continue
    const file = await findFile(partials, name)
    if (file !== undefined && file.modifiedAt < before && (await removeFile(file.path)) && isPartial)
      cleared++
  }
  return cleared
}

/** Whether `name` can be the name of a received file: hidden files are not received files. */
export function isReceivedName(name: string): boolean {
  return !name.startsWith('.')
}

/** Whether `file` matches; a file without a record matches no sender. */
export function matchesReceived(file: ReceivedFile, { from, name }: ReceivedMatch): boolean {
  if (from !== undefined && file.from !== from) return false
  if (name === undefined) return true
  const text = name.toLowerCase()
  return [file.name, file.originalName ?? ''].some(own => own.toLowerCase().includes(text))
}

/** The part of a {@link ReceivedFile} that one lstat() returns. */
interface FoundFile {
  readonly name: string
  readonly path: string
  /** Size of a file; meaningless for a folder. */
  readonly size: number
  readonly modifiedAt: number
  readonly isFolder: boolean
}

async function findFiles(dir: string): Promise<FoundFile[]> {
  const names = await ifExists(readdir(dir), [])
  const files: FoundFile[] = []
  for (const name of names.filter(isReceivedName)) {
    const file = await findFile(dir, name)
    if (file !== undefined) files.push(file)
  }
  return files
}

async function findFile(dir: string, name: string): Promise<FoundFile | undefined> {
  const path = join(dir, name)
  const stats = await lstat(path).catch(() => undefined)
  const isFolder = stats?.isDirectory() === true && isUnpackedName(name)
  if (stats === undefined || !(isFolder || stats.isFile())) return undefined
  return { name, path, size: stats.size, modifiedAt: stats.mtimeMs, isFolder }
}

/** Adds the record, and the size of a folder. */
async function withRecord(dir: string, { isFolder, ...file }: FoundFile): Promise<ReceivedFile> {
  const tree = isFolder ? await measureTree(file.path) : undefined
  const known = tree === undefined ? file : { ...file, size: tree.bytes, files: tree.files }
  const record = await readRecord(dir, isFolder ? { name: file.name, isFolder } : file)
  if (record === undefined) return known
  if ('damaged' in record) return { ...known, damagedRecord: record.damaged }
  // A folder has the record of its archive, with the archive's size.
  return { ...known, ...record, size: known.size }
}

/** Renames the folder into the hidden subfolder first, so that no reader sees a part of it. */
async function removeFolder(dir: string, path: string): Promise<boolean> {
  const hidden = temporaryPath(folderLayout(dir))
  const isHidden = await rename(path, hidden).then(
    () => true,
    () => false,
  )
  await rm(isHidden ? hidden : path, { recursive: true, force: true })
  return true
}
