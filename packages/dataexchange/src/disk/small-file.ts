import { closeSync, fstatSync, linkSync, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../system-errors.ts'
import { FILE_MODE, type FolderLayout, temporaryPath } from './layout.ts'
import { writeAllSync } from './write-all.ts'

/**
 * A small file that was written under a temporary name, and closed. All calls are synchronous: for so little the way to
 * a thread and back costs several times what the system takes.
 */
export class SmallFile {
  /** The temporary name. */
  readonly path: string
  readonly #layout: FolderLayout
  #inode = 0

  private constructor(layout: FolderLayout, path: string) {
    this.#layout = layout
    this.path = path
  }

  /** Writes a file of `bytes`, and checks its size. Where it throws, nothing is left behind. */
  static create(layout: FolderLayout, bytes: Uint8Array): SmallFile {
    const path = temporaryPath(layout)
    const fd = openSync(path, 'wx', FILE_MODE)
    const file = new SmallFile(layout, path)
    try {
      try {
        file.#fill(fd, bytes)
      } finally {
        closeSync(fd)
      }
      return file
    } catch (error) {
      file.discard()
      throw error
    }
  }

  /** What tells the file from others that may get its name later. */
  get inode(): number {
    return this.#inode
  }

  /** Gives the file the name `name`, and never overwrites: false where it is taken. Its own name stays. */
  publish(name: string): boolean {
    try {
      linkSync(this.path, join(this.#layout.dir, name))
      return true
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Removes the temporary name. Never throws: one that stays behind is swept at the next start. */
  discard(): void {
    try {
      unlinkSync(this.path)
    } catch {
      // It is swept.
    }
  }

  #fill(fd: number, bytes: Uint8Array): void {
    writeAllSync(fd, bytes)
    const { size, ino } = fstatSync(fd)
    if (size !== bytes.length)
      throw new Error(`the file has ${size} bytes after ${bytes.length} were written`)
    this.#inode = ino
  }
}
