import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { DeliveryError, systemCode } from '../errors.ts'
import type { FileReference } from './entry-head.ts'

/**
 * Takes down what the file at `path` is now: its size, its time and its SHA-256.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE; SOURCE_CHANGED where it changes meanwhile
 */
export async function referTo(path: string): Promise<FileReference> {
  const absolute = resolve(path)
  const { size, mtimeMs } = await statFile(absolute)
  const hash = createHash('sha256')
  for await (const piece of piecesOf(absolute, size)) hash.update(piece)
  const after = await statFile(absolute)
  if (after.size !== size || after.mtimeMs !== mtimeMs) throw changed(absolute)
  return { path: absolute, size, mtimeMs, sha256: hash.digest('hex') }
}

/**
 * Looks whether the file is still what it was. One of another size is not; one of another time is read, and
 * may be the same all the same.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED
 */
export async function checkReference(file: FileReference): Promise<void> {
  const { size, mtimeMs } = await statFile(file.path)
  if (size !== file.size) throw changed(file.path)
  if (mtimeMs === file.mtimeMs) return
  for await (const _ of readReference(file));
}

/**
 * The content of the file in pieces, the last one only where all of them are what was there when the file
 * was added: a receiver cannot complete any other.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE, SOURCE_CHANGED
 */
export async function* readReference(file: FileReference): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  let read = 0
  for await (const piece of piecesOf(file.path, file.size)) {
    hash.update(piece)
    read += piece.length
    if (read === file.size && hash.copy().digest('hex') !== file.sha256) throw changed(file.path)
    yield piece
  }
}

const PIECE = 256 * 1024

async function* piecesOf(path: string, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await open(path, 'r').catch(error => {
    throw unreadable(path, error)
  })
  try {
    for (let at = 0; at < size; ) {
      const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, size - at))
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at).catch(error => {
        throw unreadable(path, error)
      })
      if (bytesRead === 0) throw changed(path)
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

/** Before it is opened: to open a FIFO would wait for its writer. */
async function statFile(path: string): Promise<{ size: number; mtimeMs: number }> {
  const stats = await stat(path).catch(error => {
    throw unreadable(path, error)
  })
  if (stats.isFile()) return stats
  throw new DeliveryError('SOURCE_UNREADABLE', `${path} is not a regular file; send files one by one`)
}

function changed(path: string): DeliveryError {
  const message = `${path} is not what it was when it was added; add it again, or add a copy`
  return new DeliveryError('SOURCE_CHANGED', message)
}

function unreadable(path: string, cause: unknown): unknown {
  const code = systemCode(cause)
  if (code === undefined) return cause
  const why = REASONS[code] ?? code
  return new DeliveryError('SOURCE_UNREADABLE', `${path} cannot be read: ${why}`, { cause })
}

const REASONS: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'permission denied' }
