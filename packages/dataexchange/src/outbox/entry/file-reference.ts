import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openSeekable, type SeekableSource } from '../../client/source/file-source.ts'
import { hashSource } from '../../client/source/hash-source.ts'
import { DeliveryError } from '../../errors.ts'
import { systemCode } from '../../system-errors.ts'
import type { FileReference } from './head.ts'
import { VerifiedSource } from './verified-source.ts'

/**
 * Records the size, time and SHA-256 of the file at `path`.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE; SOURCE_CHANGED if it changes meanwhile
 */
export async function referTo(path: string): Promise<FileReference> {
  const absolute = resolve(path)
  const source = await openSeekable(absolute)
  try {
    const { mtimeMs } = await statFile(absolute)
    const sha256 = Buffer.from(await hashSource(source, new AbortController().signal)).toString('hex')
    return { path: absolute, size: source.size, mtimeMs, sha256 }
  } finally {
    await source.close()
  }
}

/**
 * Checks that the file has not changed. Another size is a change; with another time the file is read and hashed.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED
 */
export async function checkReference(file: FileReference): Promise<void> {
  const { size, mtimeMs } = await statFile(file.path)
  if (size !== file.size) throw changed(file.path)
  if (mtimeMs === file.mtimeMs) return
  const source = await openReference(file)
  try {
    for await (const _ of source.pieces());
  } finally {
    await source.close()
  }
}

/**
 * Opens the file, verified while it is read: a changed file throws SOURCE_CHANGED before the last piece.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE
 */
export async function openReference({ path, size, sha256 }: FileReference): Promise<SeekableSource> {
  const handle = await open(path, 'r').catch(error => {
    throw unreadable(path, error)
  })
  const wrong = () => changed(path)
  return new VerifiedSource({ handle, start: 0, size, hash: createHash('sha256'), sha256, wrong })
}

/** Before open(), which waits for a writer on a FIFO. */
async function statFile(path: string): Promise<{ size: number; mtimeMs: number }> {
  const stats = await stat(path).catch(error => {
    throw unreadable(path, error)
  })
  if (stats.isFile()) return stats
  throw new DeliveryError('SOURCE_UNREADABLE', `${path} is not a regular file; send files one by one`)
}

function changed(path: string): DeliveryError {
  const message = `${path} has changed since it was added; add it again, or add a copy`
  return new DeliveryError('SOURCE_CHANGED', message)
}

function unreadable(path: string, cause: unknown): unknown {
  const code = systemCode(cause)
  if (code === undefined) return cause
  const why = REASONS[code] ?? code
  return new DeliveryError('SOURCE_UNREADABLE', `${path} cannot be read: ${why}`, { cause })
}

const REASONS: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'permission denied' }
