import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFile } from './if-exists.ts'

/**
 * Takes files back that were published and could not be made durable: their senders have been told that they
 * are not there. A disk that refuses the removal as well is asked again later.
 */
export class Retraction {
  readonly #dir: string
  /** What is still visible, by its name. */
  #due = new Map<string, bigint>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Whether there is something to {@link tryAgain}. */
  get isDue(): boolean {
    return this.#due.size > 0
  }

  /** Removes the file `name`. Never rejects: what cannot be removed is kept in mind. */
  async remove(name: string): Promise<void> {
    try {
      await removeFile(join(this.#dir, name))
    } catch {
      const inode = await this.#inodeOf(name)
      if (inode !== undefined) this.#due.set(name, inode)
    }
  }

  /** Tries once more to remove what could not be removed. Never rejects. */
  async tryAgain(): Promise<void> {
    const due = this.#due
    this.#due = new Map()
    for (const [name, inode] of due) {
      // Another file may have the name by now, and that one was acknowledged.
      if ((await this.#inodeOf(name)) === inode) await this.remove(name)
    }
  }

  async #inodeOf(name: string): Promise<bigint | undefined> {
    return (await lstat(join(this.#dir, name), { bigint: true }).catch(() => undefined))?.ino
  }
}
