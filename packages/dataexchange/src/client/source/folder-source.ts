import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeManifest, MANIFEST_PATH } from '../../archive/manifest.ts'
import { END_SIZE, inBlocks, type TarEntry } from '../../archive/tar-entry.ts'
import { encodeTarHeader } from '../../archive/tar-header.ts'
import { DeliveryError } from '../../errors.ts'
import type { SeekableSource } from './file-source.ts'
import { type EntryStats, type ListOptions, listFolder, reading, toEntryStats } from './list-folder.ts'

/** A folder as a tar archive, generated while it is read. */
export interface FolderSource extends SeekableSource {
  /** Number of files. */
  readonly files: number
  /** Number of folders, without the folder itself. */
  readonly folders: number
  /** Paths, relative to the folder, that were left out. */
  readonly skipped: readonly string[]
}

/**
 * Opens the folder `dir` as a tar archive that is generated while it is read: a manifest, then the folder as `root`, with
 * its content. The same folder gives the same bytes. Each read compares the file or folder with its state when it was
 * listed.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE for an entry that cannot be read or sent; reading throws SOURCE_CHANGED
 */
export async function openFolder(dir: string, options: ListOptions): Promise<FolderSource> {
  const { entries, skipped } = await listFolder(dir, options)
  const files = entries.filter(({ kind }) => kind === 'file')
  const folders = entries.length - files.length - 1
  const bytes = files.reduce((sum, { stats }) => sum + Number(stats.size), 0)
  const manifest = encodeManifest({ root: options.root, files: files.length, folders, bytes })
  const { mtimeNs } = entries[0]?.stats ?? { mtimeNs: 0n }

  const layout = new Layout()
  const manifestEntry = { path: MANIFEST_PATH, kind: 'file', size: manifest.length, mode: 0o644 } as const
  layout.add({ entry: { ...manifestEntry, mtime: seconds(mtimeNs) }, content: manifest })
  for (const { path, kind, stats } of entries) {
    const { mode } = stats
    const size = kind === 'file' ? Number(stats.size) : 0
    const inArchive = path === '' ? options.root : `${options.root}/${path}`
    const entry = { path: inArchive, kind, size, mode, mtime: seconds(stats.mtimeNs) }
    layout.add({ entry, path: join(dir, path), stats })
  }
  const size = layout.end + END_SIZE
  const read = (into: Uint8Array, at: number) => layout.read(into, at)
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < size; at += PIECE) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, size - at))
      await read(piece, at)
      yield piece
    }
  }
  // Each read has compared its part. A later change does not affect the sent bytes.
  const check = async () => {}
  return { size, read, pieces, check, close: async () => {}, files: files.length, folders, skipped }
}

const PIECE = 256 * 1024

/** One entry of the archive: a path on the disk, or the manifest. */
type Part = { readonly entry: TarEntry } & (
  | { readonly content: Uint8Array }
  | { readonly path: string; readonly stats: EntryStats }
)

/** Maps offsets of the archive to entries. Headers are generated when they are read, to save memory. */
class Layout {
  readonly #parts: Part[] = []
  readonly #starts: number[] = []
  /** Offset of the end of the last part; zeros follow. */
  end = 0

  add(part: Part): void {
    this.#parts.push(part)
    this.#starts.push(this.end)
    this.end += encodeTarHeader(part.entry).length + inBlocks(part.entry.size)
  }

  async read(into: Uint8Array, at: number): Promise<void> {
    for (let used = 0; used < into.length; ) {
      const index = this.#indexAt(at + used)
      const part = this.#parts[index]
      const start = this.#starts[index] ?? 0
      const next = this.#starts[index + 1] ?? this.end
      const isEnd = part === undefined || at + used >= this.end
      const piece = into.subarray(used, isEnd ? undefined : Math.min(into.length, next - at))
      if (isEnd) piece.fill(0)
      else await readPart(part, piece, at + used - start)
      used += piece.length
    }
  }

  /** Index of the last part that begins at or before `at`. */
  #indexAt(at: number): number {
    let low = 0
    for (let high = this.#starts.length; high - low > 1; ) {
      const middle = (low + high) >> 1
      if ((this.#starts[middle] ?? 0) <= at) low = middle
      else high = middle
    }
    return low
  }
}

/** Fills `into` with the bytes of a part (header, content, zeros) from offset `at`. */
async function readPart(part: Part, into: Uint8Array, at: number): Promise<void> {
  const header = encodeTarHeader(part.entry)
  if (at < header.length) {
    into.set(header.subarray(at, at + into.length))
    if ('path' in part && part.entry.kind === 'folder') await checkFolder(part.path, part.stats)
  }
  const from = Math.max(0, header.length - at)
  const to = Math.min(into.length, header.length + part.entry.size - at)
  if (to > from) {
    const content = into.subarray(from, to)
    const offset = at + from - header.length
    if ('content' in part) content.set(part.content.subarray(offset, offset + content.length))
    else await readFile(part.path, part.stats, content, offset)
  } else if (at === 0 && 'path' in part && part.entry.kind === 'file') {
    await readFile(part.path, part.stats, new Uint8Array(0), 0)
  }
  into.fill(0, Math.max(0, to, from))
}

async function readFile(path: string, listed: EntryStats, into: Uint8Array, at: number): Promise<void> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  // The path may have become a link, or a FIFO, on which open() waits for a writer.
  const handle = await reading(path, () => open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  try {
    await reading(path, async () => {
      for (let used = 0; used < into.length; ) {
        const { bytesRead } = await handle.read(into, used, into.length - used, at + used)
        if (bytesRead === 0) throw changed(path)
        used += bytesRead
      }
      // After the read, so that earlier and concurrent writes show.
      const now = toEntryStats(await handle.stat({ bigint: true }))
      if (!isSame(now, listed) || now.size !== listed.size) throw changed(path)
    })
  } finally {
    await handle.close()
  }
}

async function checkFolder(path: string, listed: EntryStats): Promise<void> {
  const now = toEntryStats(await reading(path, () => lstat(path, { bigint: true })))
  if (!isSame(now, listed)) throw changed(path)
}

function isSame(a: EntryStats, b: EntryStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.mtimeNs === b.mtimeNs
}

function changed(path: string): DeliveryError {
  return new DeliveryError(
    'SOURCE_CHANGED',
    `${path} changed while it was sent; send it again when nothing writes to it`,
  )
}

/** Whole seconds, the unit of an archive. */
function seconds(ns: bigint): number {
  return Math.floor(Number(ns) / 1e9)
}
