import { constants } from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeManifest, MANIFEST_PATH } from '../../archive/manifest.ts'
import { END_SIZE, inBlocks, type TarEntry } from '../../archive/tar-entry.ts'
import { encodeTarHeader } from '../../archive/tar-header.ts'
import { DeliveryError } from '../../errors.ts'
import type { SeekableSource } from './file-source.ts'
import { type EntryStats, type ListOptions, listFolder, reading, toEntryStats } from './list-folder.ts'

/** A folder that can be sent: as the archive that it would make, which is never made. */
export interface FolderSource extends SeekableSource {
  /** How many files. */
  readonly files: number
  /** How many folders, without the folder itself. */
  readonly folders: number
  /** What was left out: paths below the folder. */
  readonly skipped: readonly string[]
}

/**
 * Opens the folder `dir` as a tar archive, made while it is read: a manifest, then the folder under the name
 * `root`, with all that is in it. The same folder gives the same bytes. Every file and every folder is compared
 * with what it was when it was listed, whenever a part of it is read.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE for what cannot be read or sent; reading throws SOURCE_CHANGED
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
  // Reading has compared all that was read; what changes afterwards is not what was sent.
  const check = async () => {}
  return { size, read, pieces, check, close: async () => {}, files: files.length, folders, skipped }
}

const PIECE = 256 * 1024

/** One entry of the archive: what is on the disk, or the manifest. */
type Part = { readonly entry: TarEntry } & (
  | { readonly content: Uint8Array }
  | { readonly path: string; readonly stats: EntryStats }
)

/** Which bytes of the archive are whose. Headers are made as they are read, so that a part takes little memory. */
class Layout {
  readonly #parts: Part[] = []
  readonly #starts: number[] = []
  /** Where the last part ends; zeros follow. */
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

  /** Of the last part that begins at `at` or before. */
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

/** Fills `into` with what a part has from `at` on, counted from its header: the header, the content, zeros. */
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
  // It may have become a link, or a FIFO, which to open would wait for its writer.
  const handle = await reading(path, () => open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  try {
    await reading(path, async () => {
      for (let used = 0; used < into.length; ) {
        const { bytesRead } = await handle.read(into, used, into.length - used, at + used)
        if (bytesRead === 0) throw changed(path)
        used += bytesRead
      }
      // Afterwards: what was written before or meanwhile shows.
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
    `${path} changed while it was sent; send it again once it is at rest`,
  )
}

/** Whole ones, as archives have them. */
function seconds(ns: bigint): number {
  return Math.floor(Number(ns) / 1e9)
}
