import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ifExists, removeFile } from '../../disk/if-exists.ts'
import { FILE_MODE, FOLDER_MODE } from '../../disk/layout.ts'
import { unpackingDir } from '../layout.ts'

/**
 * The queue of archives to unpack, on the disk: a file per archive, which contains the number of attempts. It survives
 * the end of the process. It is not synced: if an entry is lost in a power cut, its archive stays packed.
 */
export class UnpackQueue {
  readonly #dir: string

  /** `dir` is the received folder. */
  constructor(dir: string) {
    this.#dir = unpackingDir(dir)
  }

  /** Names of the queued archives. */
  names(): Promise<string[]> {
    return ifExists(readdir(this.#dir), [])
  }

  /** The number of attempts to unpack `archive`; undefined if it is not queued. */
  async attempts(archive: string): Promise<number | undefined> {
    const text = await ifExists(readFile(join(this.#dir, archive), 'latin1'), undefined)
    // A crash may have left the file empty.
    return text === undefined ? undefined : Number(text) || 0
  }

  /** Queues `archive`, or sets its number of attempts. */
  async write(archive: string, attempts: number): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: FOLDER_MODE })
    await writeFile(join(this.#dir, archive), String(attempts), { mode: FILE_MODE })
  }

  /** Removes `archive` from the queue. */
  async remove(archive: string): Promise<void> {
    await removeFile(join(this.#dir, archive))
  }
}
