import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileRecord, readRecord, removeRecord } from './file-records.ts'
import { partialDir } from './layout.ts'
import { ifThere, removeFile } from './missing.ts'
import { isOwnerFileName, parsePartialName } from './partial-names.ts'

/** A file of the received folder, and where it came from: files of other programs have no record. */
export interface ReceivedFile extends Partial<Omit<FileRecord, 'bytes'>> {
  /** Its name on the disk. */
  readonly name: string
  readonly path: string
  readonly bytes: number
  /** When it was written: ms since the Unix epoch. */
  readonly modified: number
  /** What is wrong with its record, where that cannot be trusted. */
  readonly damagedRecord?: string
}

/** What {@link listReceived} selects. */
export interface ReceivedFilter {
  /** How many are returned, at most. @default all */
  limit?: number
  /** Only those written at this time or later, ms since the Unix epoch. @default all */
  since?: number
}

/**
 * The newest files of the received folder `dir`, and how many the filter selects. Subfolders and hidden files
 * do not count. A folder that is missing is empty.
 */
export async function listReceived(
  dir: string,
  { limit = Number.POSITIVE_INFINITY, since = 0 }: ReceivedFilter = {},
): Promise<{ files: readonly ReceivedFile[]; total: number }> {
  const files = (await allFiles(dir)).filter(file => file.modified >= since)
  files.sort((a, b) => b.modified - a.modified || (a.name < b.name ? 1 : -1))
  const shown = files.slice(0, limit)
  return { files: await Promise.all(shown.map(file => withRecord(dir, file))), total: files.length }
}

/** The file `name` of the received folder, or undefined where there is none. */
export async function statReceived(dir: string, name: string): Promise<ReceivedFile | undefined> {
  const file = await statFile(dir, name)
  return file && withRecord(dir, file)
}

/**
 * Removes the files of the received folder `dir`; with `before`, ms since the Unix epoch, only those written
 * earlier. Subfolders and hidden files stay.
 */
export async function clearReceived(
  dir: string,
  before: number = Number.POSITIVE_INFINITY,
): Promise<{ cleared: number; remaining: number }> {
  let cleared = 0
  let remaining = 0
  for (const { name, path, modified } of await allFiles(dir)) {
    if (modified >= before) {
      remaining++
      continue
    }
    if (await removeFile(path)) cleared++
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

async function allFiles(dir: string): Promise<ReceivedFile[]> {
  const names = await ifThere(readdir(dir), [])
  const files: ReceivedFile[] = []
  for (const name of names.filter(isReceivedName)) {
    const file = await statFile(dir, name)
    if (file !== undefined) files.push(file)
  }
  return files
}

async function statFile(dir: string, name: string): Promise<ReceivedFile | undefined> {
  const path = join(dir, name)
  const stats = await lstat(path).catch(() => undefined)
  return stats?.isFile() ? { name, path, bytes: stats.size, modified: stats.mtimeMs } : undefined
}

async function withRecord(dir: string, file: ReceivedFile): Promise<ReceivedFile> {
  const record = await readRecord(dir, file)
  if (record === undefined) return file
  return 'damaged' in record ? { ...file, damagedRecord: record.damaged } : { ...file, ...record }
}
