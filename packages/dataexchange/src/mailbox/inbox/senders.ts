import { open } from 'node:fs/promises'
import { Fifo } from '../../async/queue.ts'
import type { FolderEntry } from '../../disk/folder-index.ts'

/** What one sender has in the inbox. */
export interface Owner {
  files: number
  /** Of all its messages. */
  bytes: number
  /** Its messages, the oldest first; some may be gone. */
  order: Fifo<FolderEntry>
}

/** Who sent what is in the inbox. */
export class Owners {
  readonly #owners = new Map<string, Owner>()
  readonly #byEntry = new WeakMap<FolderEntry, string>()

  get(name: string): Owner {
    return this.#owners.get(name) ?? { files: 0, bytes: 0, order: new Fifo<FolderEntry>() }
  }

  /** `entry` is the newest message of `name`. */
  add(entry: FolderEntry, name: string): void {
    this.#byEntry.set(entry, name)
    const owner = this.get(name)
    this.#owners.set(name, owner)
    owner.files++
    owner.bytes += entry.size
    owner.order.push(entry)
  }

  /** `entry` is in the folder no longer. */
  remove(entry: FolderEntry): void {
    const name = this.#byEntry.get(entry)
    if (name === undefined) return
    const owner = this.get(name)
    owner.files--
    owner.bytes -= entry.size
    if (owner.files === 0) this.#owners.delete(name)
  }

  /** Forgets the entries that are in the folder no longer. */
  dropGone(): void {
    for (const owner of this.#owners.values())
      owner.order = new Fifo(owner.order.toArray().filter(({ gone }) => !gone))
  }
}

/** Who sent the message in the file at `path`, by its first bytes; undefined for a file that is no message. */
export async function readSender(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_SIZE), 0, HEAD_SIZE, 0)
    return /"from":\s*"([^"\\]*)"/.exec(buffer.toString('latin1', 0, bytesRead))?.[1]
  } catch {
    return undefined
  } finally {
    await handle.close()
  }
}

/** `type` and `from` come first in what is written here, and in what the original writes. */
const HEAD_SIZE = 256
