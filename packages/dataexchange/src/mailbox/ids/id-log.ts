import { lstat, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../../async/coalesce.ts'
import { DirectorySync, makeFolder } from '../../disk/directory-sync.ts'
import { retryInFolder } from '../../disk/if-exists.ts'
import { isAlive } from '../../disk/sweep.ts'
import { ownerIn, UniqueNames } from '../../disk/unique-names.ts'
import { FIXED_LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'
import { systemCode } from '../../system-errors.ts'
import { IdLogFile, isIdLogInUse } from './id-log-file.ts'
import { decodeIdRecords, encodeIdRecord, type IdRecord } from './id-record.ts'

/**
 * The log of message ids: append-only files in the hidden folder `.ids`, each written by one process and named
 * `<pid>-<16 hex digits of the process>-<number>.ids`. A file takes some thousand records, and is deleted when no
 * remembered delivery needs it. Nothing is created on the disk before the first record.
 */
export class IdLog {
  readonly #dir: string
  readonly #durable: boolean
  readonly #write: () => Promise<IdLogFile>
  #waiting: string[] = []
  #current: IdLogFile | undefined
  /** The files that are not closed yet. */
  readonly #files = new Set<IdLogFile>()

  /** With `durable` false nothing is synced. */
  constructor(dir: string, durable: boolean) {
    this.#dir = dir
    this.#durable = durable
    this.#write = coalesce(() => this.#writeWaiting())
  }

  /**
   * Appends one record. Concurrent calls share a write and a sync. Resolves with the file that holds the record, once
   * it is written or, with `synced`, durable. The caller calls {@link IdLogFile.release} when it no longer needs the
   * record.
   */
  async append(record: IdRecord, synced: boolean): Promise<IdLogFile> {
    this.#waiting.push(encodeIdRecord(record))
    const file = await this.#write()
    try {
      if (synced && this.#durable) await file.sync()
      return file
    } catch (error) {
      await file.release()
      throw error
    } finally {
      file.settle()
    }
  }

  /**
   * Reads the records of all processes, and the paths of the files that no process writes any more. Damaged lines and
   * unreadable files are logged and skipped.
   */
  async read(logger: Logger): Promise<{ records: IdRecord[]; abandoned: string[] }> {
    const records: IdRecord[] = []
    const abandoned: string[] = []
    for (const name of await this.#names(logger)) {
      const path = join(this.#dir, name)
      try {
        if (await isAbandoned(path, name)) abandoned.push(path)
        const { records: found, damaged } = decodeIdRecords(await readFile(path, 'utf8'))
        records.push(...found)
        if (damaged > 0) logger.warn({ path, damaged }, 'records of message ids are damaged')
      } catch (err) {
        if (systemCode(err) !== 'ENOENT') logger.warn({ path, err }, 'message ids cannot be read')
      }
    }
    return { records, abandoned }
  }

  /** Deletes files that {@link read} found abandoned, once their records are in a file of this log. */
  async remove(paths: readonly string[]): Promise<void> {
    await Promise.all(paths.map(path => unlink(path).catch(() => undefined)))
  }

  /** Closes the files. They stay on the disk for the next start. Nothing may be appended afterwards. */
  async close(): Promise<void> {
    this.#current = undefined
    await Promise.all([...this.#files].map(file => file.retire()))
    await Promise.all([...this.#files].map(file => file.close()))
  }

  async #names(logger: Logger): Promise<string[]> {
    try {
      return (await readdir(this.#dir)).filter(name => ownerIn(name, SUFFIX) !== undefined)
    } catch (err) {
      if (systemCode(err) !== 'ENOENT') logger.warn({ dir: this.#dir, err }, 'message ids cannot be read')
      return []
    }
  }

  async #writeWaiting(): Promise<IdLogFile> {
    const lines = this.#waiting
    this.#waiting = []
    const file = await this.#usable()
    await file.write(lines)
    return file
  }

  async #usable(): Promise<IdLogFile> {
    const current = this.#current
    if (current?.isUsable) return current
    this.#current = undefined
    await current?.retire()
    const file = await this.#create()
    this.#current = file
    return file
  }

  async #create(): Promise<IdLogFile> {
    const path = join(this.#dir, fileNames.next())
    const file = await retryInFolder(
      () => makeFolder(this.#dir, this.#durable),
      () => this.#open(path),
    )
    try {
      if (this.#durable) await new DirectorySync(this.#dir).sync()
      return file
    } catch (error) {
      await file.retire()
      throw error
    }
  }

  async #open(path: string): Promise<IdLogFile> {
    const file = await IdLogFile.create(path, closed => this.#files.delete(closed))
    this.#files.add(file)
    return file
  }
}

const SUFFIX = '.ids'
const fileNames = new UniqueNames(SUFFIX)

/** Whether the writer of the file has died or closed its log, or all records in it have expired. */
async function isAbandoned(path: string, name: string): Promise<boolean> {
  const { pid = 0, token } = ownerIn(name, SUFFIX) ?? {}
  if (token === fileNames.token) return !isIdLogInUse(path)
  if (!isAlive(pid)) return true
  const age = Date.now() - (await lstat(path)).mtimeMs
  return age > 2 * FIXED_LIMITS.idLifetime.value
}
