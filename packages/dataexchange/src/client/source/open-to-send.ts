import { basename } from 'node:path'
import { ARCHIVE_SUFFIX } from '../../archive/manifest.ts'
import { AbortError, PilotError } from '../../errors.ts'
import { encodeFilePrefix } from '../../wire/file.ts'
import { nameOf } from '../outgoing.ts'
import { type FileSource, openSeekable, type SeekableSource } from './file-source.ts'
import { type FolderSource, openFolder } from './folder-source.ts'
import { folderAt } from './list-folder.ts'

/** Options of {@link openToSend}. */
export interface OpenToSendOptions {
  /** Name for the peer. @default the name of the file; of a folder with `.tar` */
  name?: string | undefined
  /** Whether to leave out entries of a folder that are neither file nor folder. @default false */
  skipSpecial?: boolean | undefined
  signal?: AbortSignal | undefined
}

/** An opened file or folder. */
export interface ToSend {
  /** Name for the peer. */
  readonly name: string
  readonly source: SeekableSource
  /** Set if it is a folder. */
  readonly folder?: FolderSource
}

/**
 * Opens a file, or a folder as a tar archive. `.tar` is appended to the name of a folder if it is missing; the name
 * without `.tar` is the name of the folder in the archive.
 *
 * @throws {DeliveryError} SOURCE_UNREADABLE
 * @throws {WireError} FILENAME_TOO_LONG, FILENAME_UNSAFE
 * @throws {PluginError} CONFIG_INVALID for a source without a name
 * @throws {AbortError}
 */
export async function openToSend(file: FileSource, options: OpenToSendOptions = {}): Promise<ToSend> {
  const { signal } = options
  try {
    return await openAny(file, options)
  } catch (error) {
    if (!signal?.aborted) throw error
    const { reason } = signal
    throw reason instanceof PilotError ? reason : new AbortError('the opening was aborted', { cause: reason })
  }
}

async function openAny(file: FileSource, options: OpenToSendOptions): Promise<ToSend> {
  const { skipSpecial = false, signal } = options
  const dir = typeof file === 'string' || file instanceof URL ? await folderAt(file) : undefined
  const given = options.name ?? (dir === undefined ? nameOf(file) : basename(dir))
  const name = dir === undefined || given.endsWith(ARCHIVE_SUFFIX) ? given : `${given}${ARCHIVE_SUFFIX}`
  encodeFilePrefix(name)
  if (dir === undefined) return { name, source: await openSeekable(file, Number.POSITIVE_INFINITY, signal) }
  const base = name.slice(0, -ARCHIVE_SUFFIX.length)
  const root = NO_NAMES.has(base) ? UNNAMED : base
  const folder = await openFolder(dir, { root, skipSpecial, signal })
  return { name, source: folder, folder }
}

const NO_NAMES: ReadonlySet<string> = new Set(['', '.', '..'])
/** The root of a file system has no name. */
const UNNAMED = 'folder'
