import { decodeUtf8, utf8 } from '../bytes.ts'
import { archiveError } from './archive-error.ts'

/** The manifest: the first entry of the archive of a folder describes the others. */
export interface FolderManifest {
  /** The name of the folder; all other entries lie below it. */
  readonly root: string
  /** The number of files. */
  readonly files: number
  /** The number of folders without the root. */
  readonly folders: number
  /** The total size of all files in bytes. */
  readonly bytes: number
}

/** The path of the manifest, which is the first entry. */
export const MANIFEST_PATH = '.pilot-manifest.json'

/** The suffix of the name of the archive of a folder. */
export const ARCHIVE_SUFFIX = '.tar'

/** The maximum size of a manifest, in bytes. */
export const LONGEST_MANIFEST: number = 4 * 1024

/** Encodes a manifest. It has no times and only the name of the root: the same folder gives the same bytes. */
export function encodeManifest({ root, files, folders, bytes }: FolderManifest): Uint8Array {
  return utf8(`${JSON.stringify({ format: FORMAT, version: VERSION, root, files, folders, bytes })}\n`)
}

/**
 * Decodes a manifest.
 *
 * @throws {MailboxError} ARCHIVE_INVALID
 */
export function decodeManifest(content: Uint8Array): FolderManifest {
  const fields = parse(decodeUtf8(content) ?? '')
  const { format, version, root, files, folders, bytes } = fields
  if (format !== FORMAT) throw archiveError('its manifest has another format')
  if (version !== VERSION) throw archiveError(`its manifest has the version ${JSON.stringify(version)}`)
  if (typeof root !== 'string' || !isCount(files) || !isCount(folders) || !isCount(bytes)) {
    throw archiveError('its manifest has a missing or invalid field')
  }
  return { root, files, folders, bytes }
}

const FORMAT = 'pilot-folder'
const VERSION = 1

function parse(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    throw archiveError('its manifest is not JSON')
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
