import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deletionsSlowCreations } from './machine.ts'

/** Folders of one run, removed with all that is in them when it is disposed of. */
export class Scratch {
  /** For the data, on the file system that is measured. */
  readonly data: string
  /** For sockets: their paths must be short. */
  readonly sockets: string
  readonly #removesLate: boolean
  #count = 0

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true })
    this.data = mkdtempSync(join(dir, 'pilot-dx-bench-'))
    this.sockets = mkdtempSync(join(tmpdir(), 'pdx-bench-'))
    this.#removesLate = deletionsSlowCreations(this.data)
  }

  /** A new, empty folder for data. */
  folder(): string {
    const path = join(this.data, String(++this.#count))
    mkdirSync(path)
    return path
  }

  /** A path for a new socket. */
  socket(): string {
    return join(this.sockets, `${++this.#count}.sock`)
  }

  /** A folder with many small files is done with: it is removed, at once unless that would spoil what is measured next. */
  release(folder: string): void {
    if (!this.#removesLate) remove(folder)
  }

  [Symbol.dispose](): void {
    remove(this.data)
    remove(this.sockets)
  }
}

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 })
}
