import { open } from 'node:fs/promises'
import { Fifo } from '../../async/queue.ts'
import type { FolderEntry } from '../../disk/folder-index.ts'

/** The messages of one sender in the inbox. */
export interface SenderMessages {
  files: number
  /** Size of all its messages in bytes. */
  bytes: number
  /** Its messages, oldest first. Some may be gone. */
  order: Fifo<FolderEntry>
}

/** The messages of the inbox by sender. */
export class Senders {
  readonly #senders = new Map<string, SenderMessages>()
  readonly #byEntry = new WeakMap<FolderEntry, string>()

  get(name: string): SenderMessages {
    return this.#senders.get(name) ?? { files: 0, bytes: 0, order: new Fifo<FolderEntry>() }
  }

  /** Adds `entry` as the newest message of `name`. */
  add(entry: FolderEntry, name: string): void {
    this.#byEntry.set(entry, name)
    const sender = this.get(name)
    this.#senders.set(name, sender)
    sender.files++
    sender.bytes += entry.size
    sender.order.push(entry)
  }

  /** Removes `entry`, which is no longer in the folder. */
  remove(entry: FolderEntry): void {
    const name = this.#byEntry.get(entry)
    if (name === undefined) return
    const sender = this.get(name)
    sender.files--
    sender.bytes -= entry.size
    if (sender.files === 0) this.#senders.delete(name)
  }

  /** Drops the entries that are no longer in the folder. */
  dropGone(): void {
    for (const sender of this.#senders.values())
      sender.order = new Fifo(sender.order.toArray().filter(({ gone }) => !gone))
  }
}

/** The sender of the message at `path`, from its first bytes. Undefined if the file is not a message. */
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

/** `type` and `from` come first in our messages, and in those of the original. */
const HEAD_SIZE = 256
