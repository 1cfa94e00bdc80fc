import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifThere, removeFile } from '../../disk/if-exists.ts'
import { FILE_MODE, FOLDER_MODE } from '../../disk/layout.ts'
import { unpackingDir } from '../layout.ts'

/**
 * Notes on the disk of the archives that are to be unpacked, and how often that was begun, so that it is done after
 * whatever end of this process. They are not synced: where one is lost, its archive stays as it is.
 */
export class UnpackingNotes {
  readonly #dir: string

  /** Of the received folder `dir`. */
  constructor(dir: string) {
    this.#dir = unpackingDir(dir)
  }

  /** The archives that there are notes of. */
  names(): Promise<string[]> {
    return ifThere(readdir(this.#dir), [])
  }

  /** How often unpacking `archive` was begun; undefined without a note. */
  async begun(archive: string): Promise<number | undefined> {
    const text = await ifThere(readFile(join(this.#dir, archive), 'latin1'), undefined)
    // A crash may have left it empty.
    return text === undefined ? undefined : Number(text) || 0
  }

  async write(archive: string, begun: number): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: FOLDER_MODE })
    await writeFile(join(this.#dir, archive), String(begun), { mode: FILE_MODE })
  }

  async remove(archive: string): Promise<void> {
    await removeFile(join(this.#dir, archive))
  }
}
