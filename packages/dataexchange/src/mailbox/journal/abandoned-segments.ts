import { closeSync, openSync } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, isSameBoot } from '../../disk/boot-id.ts'
import { ifExists } from '../../disk/if-exists.ts'
import { isAlive } from '../../disk/sweep.ts'
import { writeAllSync } from '../../disk/write-all.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'
import {
  type ClosedSegment,
  failedPath,
  type JournalFolder,
  type SegmentOwner,
  segmentOwner,
  segmentsInUse,
} from './journal-folder.ts'
import { decodeSegment, encodeHeader, type JournalEntry } from './journal-format.ts'

/** A segment whose writer has died or was closed. */
export interface AbandonedSegment extends ClosedSegment {
  readonly owner: SegmentOwner
  /** The boot in which it was created. */
  readonly boot: string
  readonly entries: readonly JournalEntry[]
}

/**
 * The abandoned segments among the files `listed` of the journal, those of one writer in the order of writing. A
 * segment that cannot be read is logged, and stays.
 */
export async function abandonedSegments(
  folder: JournalFolder,
  listed: readonly string[],
  logger: Logger,
): Promise<AbandonedSegment[]> {
  const found: AbandonedSegment[] = []
  for (const name of listed) {
    const owner = segmentOwner(name)
    if (owner === undefined) continue
    const path = join(folder.dir, name)
    try {
      const bytes = await readSmall(path, MAX_SEGMENT_SIZE)
      if (bytes === undefined) continue
      if (bytes === 'other') throw new Error('it is not a segment')
      const { boot, entries } = decodeSegment(bytes)
      if (boot === '' && bytes.some(byte => byte !== 0))
        throw new Error('it does not have the format of this version')
      const names = entries.map(entry => entry.name)
      if (await isAbandoned(path, owner, boot))
        found.push({
          path,
          owner,
          boot,
          entries,
          names,
          hasFailed: await hasFailed(path),
          settled: async () => {},
        })
    } catch (err) {
      logger.warn({ err, path }, 'a part of the journal cannot be read')
    }
  }
  return found.sort((one, other) => one.owner.number - other.owner.number)
}

/**
 * Marks the segment with this boot: its files are there, and a file that is missing from now on was removed. The mark
 * needs no sync: a power cut that undoes it makes it wrong, too.
 */
export function adopt({ path, boot }: AbandonedSegment): void {
  const header = encodeHeader(bootId())
  if (header.length !== encodeHeader(boot).length) return
  try {
    const fd = openSync(path, 'r+')
    try {
      writeAllSync(fd, header, 0)
    } finally {
      closeSync(fd)
    }
  } catch {
    // The checkpoint deletes the segment soon.
  }
}

/** Reads the file at `path`. Undefined if it does not exist, `other` if it is not a file or larger than `maxSize`. */
export async function readSmall(path: string, maxSize: number): Promise<Uint8Array | 'other' | undefined> {
  const stats = await ifExists(lstat(path), undefined)
  if (stats === undefined) return undefined
  return stats.isFile() && stats.size <= maxSize ? ifExists(readFile(path), undefined) : 'other'
}

async function hasFailed(path: string): Promise<boolean> {
  return (await ifExists(lstat(failedPath(path)), undefined)) !== undefined
}

/** More than a full segment with its last batch. */
const MAX_SEGMENT_SIZE = 4 * FIXED_LIMITS.journalSegment.value

/** Whether its process has died, or its mailbox in this process was closed. */
async function isAbandoned(path: string, { pid, ours }: SegmentOwner, boot: string): Promise<boolean> {
  if (ours) return !segmentsInUse.has(path)
  // In a container the next process often has the same id.
  if (pid === process.pid || !isAlive(pid)) return true
  // A segment that is just being created has no header yet.
  if (boot !== '' && !isSameBoot(boot, bootId())) return true
  // Another process may have the id now. If the owner is merely slow, taking its segment does no harm.
  const stats = await ifExists(lstat(path), undefined)
  return stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_AFTER * FIXED_LIMITS.journalAge.value
}

const ABANDONED_AFTER = 10
