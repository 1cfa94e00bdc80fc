import { decodeUtf8, utf8 } from '../bytes.ts'
import { archiveError } from './archive-error.ts'

/** What the first entry of a folder's archive says of the rest. */
export interface FolderManifest {
  /** Name of the folder, under which all other entries lie. */
  readonly root: string
  /** How many files. */
  readonly files: number
  /** How many folders, without the root. */
  readonly folders: number
  /** Bytes of all files. */
  readonly bytes: number
}

/** Path of the manifest, which is the first entry. */
export const MANIFEST_PATH = '.pilot-manifest.json'

/** How the name of a folder's archive ends. */
export const ARCHIVE_SUFFIX = '.tar'

/** Bytes of the longest manifest that is read. */
export const LONGEST_MANIFEST: number = 4 * 1024

/** The content of a manifest. It has no time and no names but the root’s: the same folder gives the same bytes. */
export function encodeManifest({ root, files, folders, bytes }: FolderManifest): Uint8Array {
  return utf8(`${JSON.stringify({ format: FORMAT, version: VERSION, root, files, folders, bytes })}\n`)
}

/**
 * Reads a manifest.
 *
 * @throws {MailboxError} ARCHIVE_INVALID
 */
export function decodeManifest(content: Uint8Array): FolderManifest {
  const fields = parse(decodeUtf8(content) ?? '')
  const { format, version, root, files, folders, bytes } = fields
  if (format !== FORMAT) throw archiveError('its manifest is none')
  if (version !== VERSION) throw archiveError(`its manifest has the version ${JSON.stringify(version)}`)
  if (typeof root !== 'string' || !isCount(files) || !isCount(folders) || !isCount(bytes)) {
    throw archiveError('its manifest lacks a field')
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
