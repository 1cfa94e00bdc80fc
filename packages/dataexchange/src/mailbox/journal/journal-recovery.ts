import { renameSync } from 'node:fs'
import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, isSameBoot } from '../../disk/boot-id.ts'
import { syncDirectory } from '../../disk/directory-sync.ts'
import { ifThere, removeFile } from '../../disk/if-exists.ts'
import { SmallFile } from '../../disk/small-file.ts'
import type { Logger } from '../../logger.ts'
import { type AbandonedSegment, abandonedSegments, readSmall } from './abandoned-segments.ts'
import { type JournalFolder, segmentOfNote } from './journal-folder.ts'
import { noteBeside, removedOf } from './tombstones.ts'

/** What earlier processes have left in a journal. */
export interface Recovered {
  /** The files that a power cut may have taken, and that are there as the journal has them. */
  readonly restored: ReadonlySet<string>
  /** To be forgotten, once their files are durable. */
  readonly segments: readonly AbandonedSegment[]
}

/**
 * Looks through the segments that earlier processes have left. After a power cut, files that are not whole are
 * written again, and those that are missing, unless it is noted that they were removed. In the boot that they were
 * written in nothing can be lost: what is missing then never got its name, or has been removed by somebody, and that
 * is noted. The segments stay: should the process end before the caller has done its part, all of it is done again.
 *
 * @throws the file system's error where a file cannot be written again
 */
export async function recoverJournal(folder: JournalFolder, logger: Logger): Promise<Recovered> {
  const listed = await list(folder, logger)
  const segments = await abandonedSegments(folder, listed, logger)
  const boot = bootId()
  const ofThisBoot = segments.filter(segment => isSameBoot(segment.boot, boot))
  const restored = new Set<string>()
  let written = 0
  for (const segment of segments.filter(segment => !ofThisBoot.includes(segment)))
    written += await restoreAll(folder, segment, restored)
  if (written > 0)
    logger.info({ dir: folder.layout.dir, files: written }, 'wrote again what a power cut had taken')
  await noteMissing(folder, ofThisBoot).catch(err =>
    logger.warn({ err, dir: folder.dir }, 'what was removed cannot be noted: a power cut may bring it back'),
  )
  await removeStrayNotes(folder, listed)
  return { restored, segments }
}

async function list({ dir }: JournalFolder, logger: Logger): Promise<string[]> {
  try {
    return await ifThere(readdir(dir), [])
  } catch (err) {
    logger.warn({ err, dir }, 'the journal cannot be read')
    return []
  }
}

/**
 * Adds to `restored` what is to be there by a segment; resolves with how many files were written. What is noted beside
 * one is about no other: that has another file of the name.
 */
async function restoreAll(
  folder: JournalFolder,
  { path, entries }: AbandonedSegment,
  restored: Set<string>,
): Promise<number> {
  const removed = new Set(await removedOf(path))
  const written: string[] = []
  try {
    for (const { name, content } of entries) {
      if (removed.has(name)) continue
      const state = await restore(folder, name, content)
      if (state !== 'foreign') restored.add(name)
      if (state === 'written') written.push(name)
    }
  } finally {
    if (written.length > 0) await removeNoted(folder, path, written)
  }
  return written.length
}

/**
 * Of the files `names`, which were just written, removes those that somebody has removed, and noted, meanwhile. Whoever
 * notes it later than this looks finds them, see `removals.ts`. They count as restored: they were delivered.
 */
async function removeNoted({ layout }: JournalFolder, path: string, names: readonly string[]): Promise<void> {
  const noted = new Set(await removedOf(path))
  const removed = names.filter(name => noted.has(name))
  if (removed.length === 0) return
  for (const name of removed) await removeFile(join(layout.dir, name))
  await syncDirectory(layout.dir)
}

async function restore(
  folder: JournalFolder,
  name: string,
  content: Uint8Array,
): Promise<'whole' | 'written' | 'foreign'> {
  const path = join(folder.layout.dir, name)
  const found = await readSmall(path, content.length)
  if (found === 'other') return 'foreign'
  if (found !== undefined && Buffer.compare(found, content) === 0) return 'whole'
  if (found !== undefined && !isTorn(found, content)) return 'foreign'
  const file = SmallFile.create(folder.layout, content)
  try {
    if (found !== undefined) renameSync(file.path, path)
    // Another process may do the same.
    else if (!file.publish(name)) return restore(folder, name, content)
    return 'written'
  } finally {
    file.discard()
  }
}

/** Whether `found`, which is not longer, is what a power cut has left of `content`, and not another file. */
function isTorn(found: Uint8Array, content: Uint8Array): boolean {
  return found.every((byte, i) => byte === 0 || byte === content[i])
}

/** A power cut must not bring back what was removed before it, nor what its sender was never told of. */
async function noteMissing(
  { layout, dir }: JournalFolder,
  segments: readonly AbandonedSegment[],
): Promise<void> {
  if (segments.length === 0) return
  const present = new Set(await readdir(layout.dir))
  for (const { path, names } of segments) {
    const noted = new Set(await removedOf(path))
    const missing = names.filter(name => !present.has(name) && !noted.has(name))
    if (missing.length > 0) await noteBeside(path, missing)
  }
  await syncDirectory(dir)
}

async function removeStrayNotes({ dir }: JournalFolder, listed: readonly string[]): Promise<void> {
  for (const name of listed) {
    const segment = segmentOfNote(name)
    if (segment === undefined || (await ifThere(lstat(join(dir, segment)), undefined))) continue
    await unlink(join(dir, name)).catch(() => undefined)
  }
}
