import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileNameOf, isWhole, keyOf, sha256 } from './items.js'

/** The two folders of a mailbox. */
export interface Folders {
  readonly inboxDir: string
  readonly receivedDir: string
}

/** One entry that a program which lists the folders sees. */
export interface Seen {
  readonly path: string
  /** As of {@link keyOf}; undefined where it is not a whole message or file. */
  readonly key: string | undefined
  /** For a file: whether its record is right, missing, or wrong. */
  readonly record?: 'right' | 'none' | 'wrong'
}

export function foldersIn(root: string): Folders {
  return { inboxDir: join(root, 'inbox'), receivedDir: join(root, 'received') }
}

/** A folder in memory with room for a GiB, where there is one: for what has nothing to do with a disk. */
export const MEMORY: string | undefined = ['/dev/shm'].filter(existsSync).find(hasRoom)

function hasRoom(path: string): boolean {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize >= 2 ** 30
}

/** A folder for one row, removed with `using`. */
export class Scratch {
  readonly path: string

  constructor(parent: string = tmpdir()) {
    this.path = mkdtempSync(join(parent, 'pdx-crash-'))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 })
  }
}

/**
 * Everything visible in the folders; those that `known` says of are not read. With `whatever`, what cannot be
 * read is not there: the disk may be dying.
 */
export function look(
  folders: Folders,
  known: (path: string) => boolean = () => false,
  whatever = false,
): Seen[] {
  return [folders.inboxDir, folders.receivedDir].flatMap(dir =>
    attempt(() => visible(dir), [], whatever)
      .map(name => join(dir, name))
      .filter(path => !known(path))
      .flatMap(path => attempt(() => [seenAt(path, dir === folders.inboxDir)], [], whatever)),
  )
}

/** The names of all but the hidden subfolders. A missing folder is empty. */
export function visible(dir: string): string[] {
  return attempt(() => readdirSync(dir), []).filter(name => !HIDDEN.includes(name))
}

/** The records whose file is not there. */
export function strayRecords({ receivedDir }: Folders): string[] {
  const records = attempt(() => readdirSync(join(receivedDir, RECORDS)), [])
  const files = new Set(visible(receivedDir))
  return records.filter(name => !files.has(name.replace(/\.json$/, '')))
}

/** Temporary files. */
export function temporaries(folders: Folders): string[] {
  return [folders.inboxDir, folders.receivedDir].flatMap(dir => inside(join(dir, TEMPORARIES)))
}

/** Partial files, and their owners. */
export function partials({ receivedDir }: Folders): string[] {
  return inside(join(receivedDir, PARTIALS))
}

/** The files in which message ids are on record. */
export function idFiles({ inboxDir }: Folders): string[] {
  return inside(join(inboxDir, IDS))
}

/** The segments of the journal; with `pid` only those of other processes, and what is noted beside none. */
export function segments({ inboxDir }: Folders, pid?: number): string[] {
  const dir = join(inboxDir, JOURNAL)
  return attempt(() => readdirSync(dir), [])
    .filter(name => (pid === undefined ? name.endsWith('.log') : !name.startsWith(`${pid}-`)))
    .map(name => join(dir, name))
}

/** The highest number of a segment that is still there: how many its process had begun. */
export function segmentsBegun(folders: Folders): number {
  return Math.max(0, ...segments(folders).map(path => Number(/-(\d+)\.log$/.exec(path)?.[1])))
}

/** The content of `path`; without a key if it is not a whole message or file. */
function seenAt(path: string, isMessage: boolean): Seen {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const content = readFileSync(path)
  if (isMessage) return { path, key: messageKey(name, content) }
  return { path, key: fileKey(name, content), record: recordOf(path, name, content) }
}

function recordOf(path: string, name: string, content: Buffer): 'right' | 'none' | 'wrong' {
  const json = attempt(() => readFileSync(join(path, '..', RECORDS, `${name}.json`), 'utf8'), undefined)
  if (json === undefined) return 'none'
  try {
    const { original_name, bytes, sha256: hash, from, type } = JSON.parse(json)
    const isRight =
      original_name === fileNameOf(content) &&
      bytes === content.length &&
      hash === sha256(content) &&
      /^\d+:[0-9A-F]{4}\.[0-9A-F]{4}\.[0-9A-F]{4}$/.test(from) &&
      ['FILE', 'FILESTREAM'].includes(type)
    return isRight ? 'right' : 'wrong'
  } catch {
    return 'wrong'
  }
}

const TEMPORARIES = '.tmp'
const RECORDS = '.records'
export const PARTIALS = '.partial'
/** In the inbox: the log of message ids. */
export const IDS = '.ids'
/** In the inbox: the journal of messages whose files are not synced yet. */
export const JOURNAL = '.journal'
/** Subfolders, which programs that list the folder skip. */
const HIDDEN = [TEMPORARIES, RECORDS, JOURNAL, '.consumers', IDS, PARTIALS, '.unpacking']
const STAMP = '-\\d{8}-\\d{6}\\.\\d{3}-\\d{6,}'
const MESSAGE_NAME = new RegExp(`^(TEXT|JSON|BINARY)${STAMP}\\.json$`)
const FILE_NAME = new RegExp(`^(f\\d+-[0-9a-f]{16})${STAMP}\\.bin$`)

/** The paths of all that lies in `dir`. A missing folder is empty. */
function inside(dir: string): string[] {
  return attempt(() => readdirSync(dir), []).map(name => join(dir, name))
}

/** The path is missing or not a folder. */
const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

function attempt<T>(run: () => T, otherwise: T, whatever = false): T {
  try {
    return run()
  } catch (error) {
    if (whatever || ABSENT.has(String((error as NodeJS.ErrnoException).code))) return otherwise
    throw error
  }
}

function messageKey(name: string, content: Buffer): string | undefined {
  const [, type] = MESSAGE_NAME.exec(name) ?? []
  try {
    const message = JSON.parse(content.toString())
    const payload = Buffer.from(message.data_b64 ?? message.data, message.data_b64 ? 'base64' : 'utf8')
    const isSound = message.type === type && message.bytes === payload.length && isWhole(payload)
    return isSound ? keyOf(message.type, payload) : undefined
  } catch {
    return undefined
  }
}

function fileKey(name: string, content: Buffer): string | undefined {
  const [, sent] = FILE_NAME.exec(name) ?? []
  return `${sent}.bin` === fileNameOf(content) ? keyOf('FILE', content) : undefined
}
