import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Folders, type Seen, visible } from './folders.js'
import { keyOf } from './items.js'

/** Reads what is stored, whatever its payload: what was read before is not read again. */
export class StoredReader {
  readonly #folders: Folders
  #known = new Map<string, Seen>()

  constructor(folders: Folders) {
    this.#folders = folders
  }

  /** All that is visible in the folders; what is no sound message and no file has no key. */
  read(): Seen[] {
    const { inboxDir, receivedDir } = this.#folders
    const found = new Map<string, Seen>()
    for (const dir of [inboxDir, receivedDir]) {
      for (const name of visible(dir)) {
        const path = join(dir, name)
        const seen = this.#known.get(path) ?? {
          path,
          key: dir === inboxDir ? messageKey(path) : fileKey(path),
        }
        found.set(path, seen)
      }
    }
    this.#known = found
    return [...found.values()]
  }
}

/** The entries of `found` that are neither a valid message nor a file. */
export function strays(found: readonly Seen[]): string[] {
  return found.filter(({ key }) => key === undefined).map(({ path }) => `not whole: ${path}`)
}

const MESSAGE_PATH = /\/([A-Z]+)-\d{8}-\d{6}\.\d{3}-\d{6,}\.json$/

function messageKey(path: string): string | undefined {
  const [, type] = MESSAGE_PATH.exec(path) ?? []
  try {
    const message = JSON.parse(readFileSync(path, 'utf8'))
    const payload = Buffer.from(message.data_b64 ?? message.data, message.data_b64 ? 'base64' : 'utf8')
    const isSound = message.type === type && message.bytes === payload.length && isOwn(path)
    return isSound ? keyOf(message.type, payload) : undefined
  } catch {
    return undefined
  }
}

function fileKey(path: string): string | undefined {
  return isOwn(path) ? keyOf('FILE', readFileSync(path)) : undefined
}

/** A file, and nobody else's to read. */
function isOwn(path: string): boolean {
  const stats = statSync(path)
  return stats.isFile() && (stats.mode & 0o777) === 0o600
}
