import { lstat, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, removeFile } from '../../disk/if-exists.ts'
import { folderLayout, temporaryPath } from '../../disk/layout.ts'
import { measureTree } from '../../disk/measure-tree.ts'
import { partialDir } from '../layout.ts'
import { isUnpackedName } from '../names.ts'
import { isOwnerFileName, parsePartialName } from '../partial/partial-names.ts'
import { type FileRecord, readRecord, removeRecord } from './records.ts'

/** A file of the received folder, or a folder that was received, and where it came from: files of other programs have no record. */
export interface ReceivedFile extends Partial<Omit<FileRecord, 'bytes'>> {
  /** Its name on the disk. */
  readonly name: string
  readonly path: string
  /** Bytes; of a folder, of all files in it. */
  readonly bytes: number
  /** How many files are in it; undefined for a file. */
  readonly files?: number
  /** When it was written: ms since the Unix epoch. */
  readonly modified: number
  /** What is wrong with its record, where that cannot be trusted. */
  readonly damagedRecord?: string
}

/** What {@link listReceived} selects. */
export interface ReceivedFilter {
  /** How many are returned, at most. @default all */
  limit?: number | undefined
  /** Only those written at this time or later, ms since the Unix epoch. @default all */
  since?: number | undefined
}

/**
 * The newest files of the received folder `dir`, and how many the filter selects. Folders that were received count
 * as files; other subfolders and hidden files do not count. A folder that is missing is empty.
 */
export async function listReceived(
  dir: string,
  { limit = Number.POSITIVE_INFINITY, since = 0 }: ReceivedFilter = {},
): Promise<{ files: readonly ReceivedFile[]; total: number }> {
  const files = (await allFiles(dir)).filter(file => file.modified >= since)
  files.sort((a, b) => b.modified - a.modified || (a.name < b.name ? 1 : -1))
  const shown = files.slice(0, limit)
  return { files: await Promise.all(shown.map(file => inFull(dir, file))), total: files.length }
}

/** The file or received folder `name` of the received folder, or undefined where there is none. */
export async function statReceived(dir: string, name: string): Promise<ReceivedFile | undefined> {
  const file = await statFile(dir, name)
  return file && inFull(dir, file)
}

/**
 * Removes the files of the received folder `dir`; with `before`, ms since the Unix epoch, only those written
 * earlier, and folders that were received. Other subfolders and hidden files stay.
 */
export async function clearReceived(
  dir: string,
  before: number = Number.POSITIVE_INFINITY,
): Promise<{ cleared: number; remaining: number }> {
  let cleared = 0
  let remaining = 0
  for (const { name, path, modified, isFolder } of await allFiles(dir)) {
    if (modified >= before) {
      remaining++
      continue
    }
    if (await (isFolder ? removeFolder(dir, path) : removeFile(path))) cleared++
    // After the file: a record alone is swept, a file alone would have lost its record for good.
    await removeRecord(dir, name)
  }
  return { cleared, remaining }
}

/**
 * Removes the partial files of the received folder `dir` (section 4), with `before` only those written earlier,
 * and returns how many that were. A transfer that is under way fails then, and can be sent again.
 */
export async function clearPartials(dir: string, before: number = Number.POSITIVE_INFINITY): Promise<number> {
  const partials = partialDir(dir)
  let cleared = 0
  for (const name of await ifThere(readdir(partials), [])) {
    const isPartial = parsePartialName(name) !== undefined
    if (!isPartial && !isOwnerFileName(name)) continue
    const file = await statReceived(partials, name)
    if (file !== undefined && file.modified < before && (await removeFile(file.path)) && isPartial) cleared++
  }
  return cleared
}

/** Whether `name` is one that other programs take for a received file: hidden ones are not. */
export function isReceivedName(name: string): boolean {
  return !name.startsWith('.')
}

/** What is seen from outside. */
interface Found {
  readonly name: string
  readonly path: string
  /** Of a file. */
  readonly bytes: number
  readonly modified: number
  readonly isFolder: boolean
}

async function allFiles(dir: string): Promise<Found[]> {
  const names = await ifThere(readdir(dir), [])
  const files: Found[] = []
  for (const name of names.filter(isReceivedName)) {
    const file = await statFile(dir, name)
    if (file !== undefined) files.push(file)
  }
  return files
}

async function statFile(dir: string, name: string): Promise<Found | undefined> {
  const path = join(dir, name)
  const stats = await lstat(path).catch(() => undefined)
  const isFolder = stats?.isDirectory() === true && isUnpackedName(name)
  if (stats === undefined || !(isFolder || stats.isFile())) return undefined
  return { name, path, bytes: stats.size, modified: stats.mtimeMs, isFolder }
}

/** With what takes longer to find out. */
async function inFull(dir: string, { isFolder, ...file }: Found): Promise<ReceivedFile> {
  const size = isFolder ? await measureTree(file.path) : undefined
  const known = size === undefined ? file : { ...file, bytes: size.bytes, files: size.files }
  const record = await readRecord(dir, isFolder ? { name: file.name, isFolder } : file)
  if (record === undefined) return known
  if ('damaged' in record) return { ...known, damagedRecord: record.damaged }
  // The record of a folder has the bytes of its archive.
  return { ...known, ...record, bytes: known.bytes }
}

/** A folder goes at once, as it came: nobody sees a part of it. */
async function removeFolder(dir: string, path: string): Promise<boolean> {
  const hidden = temporaryPath(folderLayout(dir))
  const isHidden = await rename(path, hidden).then(
    () => true,
    () => false,
  )
  await rm(isHidden ? hidden : path, { recursive: true, force: true })
  return true
}
