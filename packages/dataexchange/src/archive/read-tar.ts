import { archiveError } from './archive-error.ts'
import { decodePax } from './pax.ts'
import { BLOCK_SIZE, inBlocks, type TarEntry } from './tar-entry.ts'
import { decodeTarHeader, type TarHeader } from './tar-header.ts'

/** The bytes of an archive. */
export interface TarSource {
  /** The size of the archive in bytes. */
  readonly size: number
  /** Fills `into` with the bytes from `at` on. */
  read(into: Uint8Array, at: number): Promise<void>
}

/** An entry and the position of its content. */
export interface FoundEntry extends TarEntry {
  /** The offset of the first byte of its content. */
  readonly dataAt: number
}

/**
 * Reads the entries of an archive in order. The reader is strict, so that no content is lost unnoticed: entries other
 * than files and folders, unknown records, a truncated archive, and bytes after its end are errors. Names are not
 * checked: do not trust them.
 *
 * @throws {MailboxError} ARCHIVE_INVALID
 */
export async function* readTar(source: TarSource): AsyncGenerator<FoundEntry, void, undefined> {
  let extended: Map<string, string> | undefined
  let at = 0
  for (;;) {
    const header = decodeTarHeader(await part(source, at, BLOCK_SIZE))
    at += BLOCK_SIZE
    if (header === undefined) break
    if (header.type === 'x') {
      if (extended !== undefined) throw archiveError('two extended headers follow each other')
      if (header.size > MAX_EXTENDED) throw archiveError('an extended header is too long')
      extended = decodePax(await part(source, at, header.size))
      at += inBlocks(header.size)
      continue
    }
    const entry = entryOf(header, extended)
    extended = undefined
    if (entry.size > source.size - at) throw archiveError(`it ends within ${JSON.stringify(entry.path)}`)
    yield { ...entry, dataAt: at }
    at += inBlocks(entry.size)
  }
  if (extended !== undefined) throw archiveError('an extended header has no entry')
  await checkEnd(source, at)
}

/** Enough for the longest path. */
const MAX_EXTENDED = 64 * 1024
const PIECE = 64 * 1024
/** Records that do not apply to a copy on another machine, and comments. */
const IGNORED: ReadonlySet<string> = new Set([
  'atime',
  'ctime',
  'uid',
  'gid',
  'uname',
  'gname',
  'comment',
  'charset',
])
const USED: ReadonlySet<string> = new Set(['path', 'size', 'mtime'])

function entryOf(header: TarHeader, extended: Map<string, string> = new Map()): TarEntry {
  for (const key of extended.keys()) {
    if (!USED.has(key) && !IGNORED.has(key)) {
      throw archiveError(`an extended header has ${JSON.stringify(key)}, which is not supported`)
    }
  }
  const path = extended.get('path') ?? header.path
  const kind = KINDS[header.type]
  if (kind === undefined) throw archiveError(`${JSON.stringify(path)} is ${nameOf(header.type)}`)
  const size = numberOf(extended.get('size'), WHOLE) ?? header.size
  if (kind === 'folder' && size !== 0) throw archiveError(`the folder ${JSON.stringify(path)} has content`)
  const mtime = numberOf(extended.get('mtime'), DECIMAL) ?? header.mtime
  return {
    path: kind === 'folder' ? path.replace(/\/$/, '') : path,
    kind,
    size,
    mode: header.mode & 0o777,
    mtime: Math.floor(mtime),
  }
}

const KINDS: Record<string, TarEntry['kind']> = { '0': 'file', '5': 'folder' }
const WHOLE = /^\d{1,15}$/
const DECIMAL = /^-?\d{1,12}(\.\d*)?$/

function numberOf(value: string | undefined, form: RegExp): number | undefined {
  if (value === undefined) return undefined
  if (!form.test(value)) throw archiveError('an extended header has an invalid number')
  return Number(value)
}

function nameOf(type: string): string {
  const names: Record<string, string> = {
    '1': 'a hard link',
    '2': 'a symbolic link',
    '3': 'a device',
    '4': 'a device',
    '6': 'a FIFO',
  }
  return names[type] ?? `an entry of the type ${JSON.stringify(type)}, which is not supported`
}

async function part(source: TarSource, at: number, size: number): Promise<Uint8Array> {
  if (at + size > source.size) throw archiveError('it is truncated')
  const bytes = new Uint8Array(size)
  await source.read(bytes, at)
  return bytes
}

/** Checks that a second block of zeros follows the first, and that only zeros follow it. */
async function checkEnd(source: TarSource, at: number): Promise<void> {
  await part(source, at, BLOCK_SIZE)
  for (let next = at; next < source.size; next += PIECE) {
    const rest = await part(source, next, Math.min(PIECE, source.size - next))
    if (rest.some(byte => byte !== 0)) throw archiveError('it has data after its end')
  }
}
