import { renameSync } from 'node:fs'
import { lstat, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'
import { bootId, isSameBoot } from '../boot.ts'
import { ifThere } from '../missing.ts'
import { isAlive } from '../recovery.ts'
import { SmallFile } from '../small-file.ts'
import type { Checkpoints } from './checkpoints.ts'
import { type JournalFolder, segmentOfNote, segmentOwner, segmentsInUse } from './journal-folder.ts'
import { decodeSegment, type SegmentContent } from './journal-format.ts'
import { removedOf } from './removals.ts'

/**
 * Takes up the segments that earlier processes have left. After a power cut, files that are not whole are written
 * again, and those that are missing, unless it is noted that they were removed. In the boot that they were written in
 * nothing can be lost: what is missing then has been removed by somebody. `checkpoints` has the segments forgotten.
 * Returns the names of the files that were written again.
 */
export async function recoverJournal(
  folder: JournalFolder,
  checkpoints: Checkpoints,
  logger: Logger,
): Promise<Set<string>> {
  const listed = await ifThere(readdir(folder.dir), [])
  const boot = bootId()
  const restored = new Set<string>()
  const lost = new Map<string, Uint8Array>()
  for (const name of listed.filter(name => segmentOwner(name) !== undefined).sort(byNumber)) {
    const path = join(folder.dir, name)
    const content = await contentOf(path)
    if (content === undefined || !(await isAbandoned(path, name, content))) continue
    if (!isSameBoot(content.boot, boot)) await collect(path, content, lost)
    const names = content.entries.map(entry => entry.name)
    checkpoints.add({ path, names, settled: async () => {} })
  }
  for (const [name, content] of lost) if (await restore(folder, name, content)) restored.add(name)
  if (restored.size > 0)
    logger.info({ dir: folder.layout.dir, files: restored.size }, 'wrote again what a power cut had taken')
  await removeStrayNotes(folder, listed)
  return restored
}

async function contentOf(path: string): Promise<SegmentContent | undefined> {
  const bytes = await ifThere(readFile(path), undefined)
  return bytes && decodeSegment(bytes)
}

/** Of a process that has ended, or of a mailbox of this one that is closed. */
async function isAbandoned(path: string, name: string, { boot }: SegmentContent): Promise<boolean> {
  const { pid = 0, ours = false } = segmentOwner(name) ?? {}
  if (ours) return !segmentsInUse.has(path)
  // In containers the process that is started next has the same id.
  if (pid === process.pid || !isAlive(pid) || !isSameBoot(boot, bootId())) return true
  // Another process has got the id. Where it is the owner that is slow, it does no harm to be faster.
  const stats = await ifThere(lstat(path), undefined)
  return stats !== undefined && Date.now() - stats.mtimeMs > ABANDONED_AFTER * LIMITS.journalAge.value
}

const ABANDONED_AFTER = 10

/** Adds the files of a segment to `lost`, without those that are noted as removed. */
async function collect(
  path: string,
  { entries }: SegmentContent,
  lost: Map<string, Uint8Array>,
): Promise<void> {
  for (const { name, content } of entries) {
    if (content === undefined) lost.delete(name)
    else lost.set(name, content)
  }
  for (const name of await removedOf(path)) lost.delete(name)
}

/** Whether the file had to be written. */
async function restore({ layout }: JournalFolder, name: string, content: Uint8Array): Promise<boolean> {
  const path = join(layout.dir, name)
  const found = await ifThere(readFile(path), undefined)
  if (found !== undefined && !isTorn(found, content)) return false
  const file = SmallFile.create(layout, content)
  if (found === undefined) file.publish(name)
  else renameSync(file.path, path)
  file.discard()
  return true
}

/** Whether `found` is what a power cut has left of `content`, and not another file of the same name. */
function isTorn(found: Uint8Array, content: Uint8Array): boolean {
  if (found.length > content.length || Buffer.compare(found, content) === 0) return false
  return found.every((byte, i) => byte === 0 || byte === content[i])
}

async function removeStrayNotes(folder: JournalFolder, listed: readonly string[]): Promise<void> {
  const present = new Set(listed)
  for (const name of listed) {
    const segment = segmentOfNote(name)
    if (segment !== undefined && !present.has(segment))
      await ifThere(unlink(join(folder.dir, name)), undefined)
  }
}

/** What one process wrote later counts. */
function byNumber(one: string, other: string): number {
  return numberOf(one) - numberOf(other)
}

function numberOf(name: string): number {
  return Number(/-(\d+)\.log$/.exec(name)?.[1] ?? 0)
}
