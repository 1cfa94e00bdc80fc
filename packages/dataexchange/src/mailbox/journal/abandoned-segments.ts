import { closeSync, openSync } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, isSameBoot } from '../../disk/boot-id.ts'
import { ifThere } from '../../disk/if-exists.ts'
import { writeAllSync } from '../../disk/small-file.ts'
import { isAlive } from '../../disk/sweep.ts'
import { LIMITS } from '../../limits.ts'
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

/** A segment that nobody writes any more. */
export interface AbandonedSegment extends ClosedSegment {
  readonly owner: SegmentOwner
  /** The boot that it was begun in. */
  readonly boot: string
  readonly entries: readonly JournalEntry[]
}

/**
 * Those of the files `listed` of the journal that are segments which nobody writes any more; those of one writer in
 * the order they were written in. What cannot be read is logged, and stays.
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
      const bytes = await readSmall(path, LARGEST)
      if (bytes === undefined) continue
      if (bytes === 'other') throw new Error('it is nothing that a journal has written')
      const { boot, entries } = decodeSegment(bytes)
      if (boot === '' && bytes.some(byte => byte !== 0))
        throw new Error('it has not the form of this version')
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
 * Has the segment be of this boot: its files are there now, and what is missing of them from now on has been removed
 * by somebody. This needs no sync: should a power cut undo it, then it is not so.
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
    // It is forgotten soon.
  }
}

/** The file at `path`; undefined where there is none, `other` where it is no file, or one of more than `most` bytes. */
export async function readSmall(path: string, most: number): Promise<Uint8Array | 'other' | undefined> {
  const stats = await ifThere(lstat(path), undefined)
  if (stats === undefined) return undefined
  return stats.isFile() && stats.size <= most ? ifThere(readFile(path), undefined) : 'other'
}

async function hasFailed(path: string): Promise<boolean> {
  return (await ifThere(lstat(failedPath(path)), undefined)) !== undefined
}

/** Over all that a segment has when it is full, and its last entries. */
const LARGEST = 4 * LIMITS.journalSegment.value

/** Of a process that has ended, or of a mailbox of this one that is closed. */
async function isAbandoned(path: string, { pid, ours }: SegmentOwner, boot: string): Promise<boolean> {
  if (ours) return !segmentsInUse.has(path)
  // In containers the process that is started next has the same id.
  if (pid === process.pid || !isAlive(pid)) return true
  // One that is just being made does not say yet what its boot is.
  if (boot !== '' && !isSameBoot(boot, bootId())) return true
  // Another process has got the id. Where it is the owner that is slow, it does no harm to be faster.
  const stats = await ifThere(lstat(path), undefined)
  return stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_AFTER * LIMITS.journalAge.value
}

const ABANDONED_AFTER = 10
