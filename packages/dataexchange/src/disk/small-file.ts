import { closeSync, fstatSync, linkSync, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../system-errors.ts'
import { FILE_MODE, type FolderLayout, temporaryPath } from './layout.ts'
import { writeAllSync } from './write-all.ts'

/**
 * A small file under a temporary name, already closed. All calls are synchronous: for small files the thread pool costs
 * several times the time of the system call.
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

  /** Writes a file with the content `bytes`, and checks its size. If it throws, no file is left. */
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

  /** The inode, which identifies the file if another one gets its name later. */
  get inode(): number {
    return this.#inode
  }

  /** Gives the file the name `name` without overwriting: false if it is taken. The temporary name remains. */
  publish(name: string): boolean {
    try {
      linkSync(this.path, join(this.#layout.dir, name))
      return true
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Removes the temporary name. Never throws: the next start sweeps a name that remains. */
  discard(): void {
    try {
      unlinkSync(this.path)
    } catch {
      // The next start sweeps it.
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
