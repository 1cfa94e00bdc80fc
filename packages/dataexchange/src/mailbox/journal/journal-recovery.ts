import { renameSync } from 'node:fs'
import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bootId, isSameBoot } from '../../disk/boot-id.ts'
import { syncDirectory } from '../../disk/directory-sync.ts'
import { ifExists, removeFile } from '../../disk/if-exists.ts'
import { SmallFile } from '../../disk/small-file.ts'
import type { Logger } from '../../logger.ts'
import { type AbandonedSegment, abandonedSegments, readSmall } from './abandoned-segments.ts'
import { type JournalFolder, segmentOfSidecar } from './journal-folder.ts'
import { appendTombstones, readTombstones } from './tombstones.ts'

/** The result of {@link recoverJournal}. */
export interface Recovered {
  /** The files of segments of another boot that exist now, with the journal's content. */
  readonly restored: ReadonlySet<string>
  /** The abandoned segments, to be checkpointed by the caller. */
  readonly segments: readonly AbandonedSegment[]
}

/**
 * Recovers from the segments of earlier processes. In segments of another boot, files that are torn or missing are
 * written again unless they have a tombstone. In segments of this boot, missing files get a tombstone: they never got
 * their name, or were removed. The segments stay for the caller to checkpoint. See journal.ts.
 *
 * @throws the file system's error if a file cannot be written again
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
    logger.info(
      { dir: folder.layout.dir, files: written },
      'messages that a power cut had taken were written again',
    )
  await buryMissing(folder, ofThisBoot).catch(err =>
    logger.warn(
      { err, dir: folder.dir },
      'tombstones cannot be written: a power cut may bring removed messages back',
    ),
  )
  await removeStraySidecars(folder, listed)
  return { restored, segments }
}

async function list({ dir }: JournalFolder, logger: Logger): Promise<string[]> {
  try {
    return await ifExists(readdir(dir), [])
  } catch (err) {
    logger.warn({ err, dir }, 'the journal cannot be read')
    return []
  }
}

/**
 * Restores the files of one segment and adds their names to `restored`. Resolves with the number of files written. The
 * tombstones of one segment say nothing of another, which may have another file of the name.
 */
async function restoreAll(
  folder: JournalFolder,
  { path, entries }: AbandonedSegment,
  restored: Set<string>,
): Promise<number> {
  const removed = new Set(await readTombstones(path))
  const written: string[] = []
  try {
    for (const { name, content } of entries) {
      if (removed.has(name)) continue
      const state = await restore(folder, name, content)
      if (state !== 'foreign') restored.add(name)
      if (state === 'written') written.push(name)
    }
  } finally {
    if (written.length > 0) await removeBuried(folder, path, written)
  }
  return written.length
}

/**
 * Removes those of the files `names`, just written, that got a tombstone meanwhile. A process that adds one later
 * removes the file itself, see {@link addTombstones}. The files count as restored: they were delivered.
 */
async function removeBuried(
  { layout }: JournalFolder,
  path: string,
  names: readonly string[],
): Promise<void> {
  const buried = new Set(await readTombstones(path))
  const removed = names.filter(name => buried.has(name))
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
    // Another process may be recovering, too.
    else if (!file.publish(name)) return restore(folder, name, content)
    return 'written'
  } finally {
    file.discard()
  }
}

/** Whether `found`, which is not longer, can be the torn rest of `content`, and not another file. */
function isTorn(found: Uint8Array, content: Uint8Array): boolean {
  return found.every((byte, i) => byte === 0 || byte === content[i])
}

/** Adds tombstones for missing files: they were removed, or their senders were told of an error. */
async function buryMissing(
  { layout, dir }: JournalFolder,
  segments: readonly AbandonedSegment[],
): Promise<void> {
  if (segments.length === 0) return
  const present = new Set(await readdir(layout.dir))
  for (const { path, names } of segments) {
    const buried = new Set(await readTombstones(path))
    const missing = names.filter(name => !present.has(name) && !buried.has(name))
    if (missing.length > 0) await appendTombstones(path, missing)
  }
  await syncDirectory(dir)
}

async function removeStraySidecars({ dir }: JournalFolder, listed: readonly string[]): Promise<void> {
  for (const name of listed) {
    const segment = segmentOfSidecar(name)
    if (segment === undefined || (await ifExists(lstat(join(dir, segment)), undefined))) continue
    await unlink(join(dir, name)).catch(() => undefined)
  }
}
