import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeManifest, type FolderManifest, MANIFEST_PATH } from '#lib/archive/manifest.js'
import { END_SIZE, inBlocks, type TarEntry } from '#lib/archive/tar-entry.js'
import { encodeTarHeader } from '#lib/archive/tar-header.js'
import { concat } from '#lib/bytes.js'

/** The content of a folder: files by path; a path that ends with a slash is a folder. */
export type Tree = Record<string, string | Uint8Array>

/** Makes the folder `dir` with what `tree` says, and gives its path. */
export function makeTree(dir: string, tree: Tree): string {
  mkdirSync(dir, { recursive: true })
  for (const [path, content] of Object.entries(tree)) {
    const full = join(dir, path)
    if (path.endsWith('/')) mkdirSync(full, { recursive: true })
    else {
      mkdirSync(join(full, '..'), { recursive: true })
      writeFileSync(full, content)
    }
  }
  return dir
}

/** Names of several scripts, empty files and folders, long paths, and modes. */
export function mixedTree(dir: string): string {
  const long = 'x'.repeat(120)
  makeTree(dir, {
    'a.txt': 'first',
    'empty.txt': '',
    'empty folder/': '',
    'Ünïcödé/naïve café.txt': 'é',
    '日本語/ファイル.txt': 'こんにちは',
    'عربي/ملف.txt': 'مرحبا',
    'emoji 👩‍🚀/🚀.bin': new Uint8Array([0, 1, 2, 255]),
    [`${long}/${long}/deep.txt`]: 'deep',
    'exact.bin': new Uint8Array(512).fill(7),
    'large.bin': new Uint8Array(300_001).map((_, at) => at * 7),
  })
  chmodSync(join(dir, 'a.txt'), 0o640)
  chmodSync(join(dir, 'exact.bin'), 0o755)
  chmodSync(join(dir, 'empty folder'), 0o750)
  return dir
}

/** All that is in `dir`: mode, time in seconds, and the hash of a file’s content, by path. */
export function snapshot(dir: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(dir, name)
    const stats = lstatSync(path)
    const sha256 = stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder'
    found[name] = `${(stats.mode & 0o777).toString(8)} ${Math.floor(stats.mtimeMs / 1000)} ${sha256}`
  }
  return found
}

/** All that `iterable` gives. */
export async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of iterable) items.push(item)
  return items
}

/** One entry of {@link tarOf}. */
export type MadeEntry = Partial<TarEntry> & { path: string; content?: Uint8Array }

/** An archive of `entries` as they are, good or bad. */
export function tarOf(entries: readonly MadeEntry[]): Uint8Array {
  const parts = entries.flatMap(({ content = new Uint8Array(0), ...entry }) => {
    const filled = new Uint8Array(inBlocks(content.length))
    filled.set(content)
    const whole = { kind: 'file', size: content.length, mode: 0o644, mtime: 1_700_000_000, ...entry } as const
    return [encodeTarHeader(whole), filled]
  })
  return concat([...parts, new Uint8Array(END_SIZE)])
}

/** The archive of a folder `f` with `entries`, which lie in it; the manifest counts them, but for what is given. */
export function folderTar(entries: readonly MadeEntry[], manifest: Partial<FolderManifest> = {}): Uint8Array {
  const files = entries.filter(({ kind = 'file' }) => kind === 'file')
  const bytes = files.reduce((sum, { content }) => sum + (content?.length ?? 0), 0)
  const counts = { root: 'f', files: files.length, folders: entries.length - files.length, bytes }
  const content = encodeManifest({ ...counts, ...manifest })
  return tarOf([{ path: MANIFEST_PATH, content }, { path: 'f', kind: 'folder', mode: 0o755 }, ...entries])
}
