import { createHash } from 'node:crypto'
import { fstatSync } from 'node:fs'
import { type FileHandle, lstat, open, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { coalesce } from '../../async/coalesce.ts'
import { DirectorySync, makeFolder } from '../../disk/directory-sync.ts'
import { FILE_MODE } from '../../disk/layout.ts'
import { isAlive } from '../../disk/sweep.ts'
import { OwnNames, ownerIn } from '../../disk/unique-names.ts'
import { systemCode } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Logger } from '../../logger.ts'

/** What a journal tells of one delivery. */
export interface IdRecord {
  /** `about`: the file is about to get its name. `stored`: it has it, durably. */
  readonly kind: 'about' | 'stored'
  /** What tells the delivery from all others. */
  readonly digest: string
  /** Until when it is remembered: ms since the Unix epoch. */
  readonly expiresAt: number
  readonly folder: 'inbox' | 'received'
  /** The final name of the file. */
  readonly name: string
  /** Of the file: another one may get the same name. */
  readonly inode: number
  /** Whose share of the memory it takes; empty where an older version has written the record. */
  readonly from: string
}

/**
 * The memory of message ids on the disk: append-only files in one hidden folder, each written by one process
 * and named `<pid>-<16 hex digits of the process>-<number>.ids`. A record is one line, `<16 hex digits of the
 * SHA-256 of the JSON> <JSON>`, the JSON being `[kind, digest, expiresAt, folder, name, inode, from]`. A line that does not
 * check, such as a torn end, is passed over. A file takes some thousand records; it is removed as soon as no
 * delivery that is remembered needs it. Nothing is made on the disk before the first record.
 */
export class IdJournal {
  readonly #dir: string
  readonly #durable: boolean
  readonly #write: () => Promise<JournalFile>
  #waiting: string[] = []
  #current: JournalFile | undefined
  /** Those that are not removed. */
  readonly #files = new Set<JournalFile>()

  /** With `durable` false nothing is synced. */
  constructor(dir: string, durable: boolean) {
    this.#dir = dir
    this.#durable = durable
    this.#write = coalesce(() => this.#writeWaiting())
  }

  /**
   * Writes one record; records that come together share a write and a sync. Resolves, once the record is
   * `synced` or just written, with the file that it is in, for the caller to {@link JournalFile.release}.
   */
  async append(record: IdRecord, synced: boolean): Promise<JournalFile> {
    const { kind, digest, expiresAt, folder, name, inode, from } = record
    const json = JSON.stringify([kind, digest, expiresAt, folder, name, inode, from])
    this.#waiting.push(`${checkOf(json)} ${json}\n`)
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

  /** All that processes have left here, and the files that nobody writes any more; `logger` is told of what is damaged. */
  async read(logger: Logger): Promise<{ records: IdRecord[]; abandoned: string[] }> {
    const records: IdRecord[] = []
    const abandoned: string[] = []
    for (const name of await this.#names(logger)) {
      const path = join(this.#dir, name)
      try {
        if (await isAbandoned(path, name)) abandoned.push(path)
        const { found, damaged } = parse(await readFile(path, 'utf8'))
        records.push(...found)
        if (damaged > 0) logger.warn({ path, damaged }, 'records of message ids are damaged')
      } catch (err) {
        if (systemCode(err) !== 'ENOENT') logger.warn({ path, err }, 'message ids cannot be read')
      }
    }
    return { records, abandoned }
  }

  /** Removes files that {@link read} found abandoned, once what they hold is on record here. */
  async remove(paths: readonly string[]): Promise<void> {
    await Promise.all(paths.map(path => unlink(path).catch(() => undefined)))
  }

  /** No record will come any more. What is on the disk stays for the next start. */
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

  async #writeWaiting(): Promise<JournalFile> {
    const lines = this.#waiting
    this.#waiting = []
    const file = await this.#usable()
    await file.write(lines)
    return file
  }

  async #usable(): Promise<JournalFile> {
    const current = this.#current
    if (current?.isUsable) return current
    this.#current = undefined
    await current?.retire()
    const file = await this.#create()
    this.#current = file
    return file
  }

  async #create(): Promise<JournalFile> {
    const path = join(this.#dir, fileNames.next())
    const file = await this.#open(path).catch(async error => {
      if (systemCode(error) !== 'ENOENT') throw error
      await makeFolder(this.#dir, this.#durable)
      return this.#open(path)
    })
    try {
      if (this.#durable) await new DirectorySync(this.#dir).sync()
      return file
    } catch (error) {
      await file.retire()
      throw error
    }
  }

  async #open(path: string): Promise<JournalFile> {
    const file = new JournalFile(path, await open(path, 'wx', FILE_MODE), () => this.#files.delete(file))
    this.#files.add(file)
    return file
  }
}

/**
 * One file of the journal. It stays until it is retired and none of its records is needed; it is open only until it is
 * retired and nobody waits for a sync of it.
 */
export class JournalFile {
  /** Resolves when all that was written before the call is durable; calls share a sync. */
  readonly sync: () => Promise<void>
  readonly #path: string
  readonly #handle: FileHandle
  readonly #onClose: () => void
  #hasFailed = false
  #isRetired = false
  #records = 0
  #needed = 0
  #unsettled = 0

  constructor(path: string, handle: FileHandle, onClose: () => void) {
    this.#path = path
    this.#handle = handle
    this.#onClose = onClose
    this.sync = coalesce(() => this.#attempt(() => handle.datasync()))
    inUse.add(path)
  }

  /** False where it is full, has failed, or was removed by somebody. */
  get isUsable(): boolean {
    const hasRoom = !this.#hasFailed && this.#records < LIMITS.idJournalRecords.value
    return hasRoom && fstatSync(this.#handle.fd).nlink > 0
  }

  /** Of each line {@link settle}, and {@link release}, are to be called. Not to be run twice at once. */
  async write(lines: readonly string[]): Promise<void> {
    let rest = Buffer.from(lines.join(''))
    await this.#attempt(async () => {
      while (rest.length > 0) {
        const { bytesWritten } = await this.#handle.write(rest)
        if (bytesWritten === 0) throw new Error('the file system took none of the bytes and named no fault')
        rest = rest.subarray(bytesWritten)
      }
    })
    this.#records += lines.length
    this.#needed += lines.length
    this.#unsettled += lines.length
  }

  /** One of its records is as durable as it is to be, or will not be. Never throws. */
  settle(): void {
    this.#unsettled--
    void this.#letGo()
  }

  /** One of its records is not needed any more. */
  async release(): Promise<void> {
    this.#needed--
    await this.#letGo()
  }

  /** Nothing will be written any more. */
  async retire(): Promise<void> {
    this.#isRetired = true
    await this.#letGo()
  }

  async close(): Promise<void> {
    inUse.delete(this.#path)
    this.#onClose()
    await this.#closeHandle()
  }

  /** One record can be needed for long: until then it takes no descriptor. */
  async #letGo(): Promise<void> {
    if (!this.#isRetired) return
    if (this.#needed === 0) {
      await this.close()
      await unlink(this.#path).catch(() => undefined)
    } else if (this.#unsettled === 0) await this.#closeHandle()
  }

  async #closeHandle(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  /** After a failure it takes no more: what it holds, and what another sync would do, is not known. */
  async #attempt(run: () => Promise<void>): Promise<void> {
    if (this.#hasFailed) throw new Error('an earlier write of message ids failed')
    try {
      await run()
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
  }
}

const SUFFIX = '.ids'
const fileNames = new OwnNames(SUFFIX)
/** The files that journals of this process write. */
const inUse = new Set<string>()

function checkOf(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, CHECK_LENGTH)
}

/** Of a process that has ended, or of a mailbox of this one that is closed; or all that it tells has expired. */
async function isAbandoned(path: string, name: string): Promise<boolean> {
  const { pid = 0, token } = ownerIn(name, SUFFIX) ?? {}
  if (token === fileNames.token) return !inUse.has(path)
  if (!isAlive(pid)) return true
  const age = Date.now() - (await lstat(path)).mtimeMs
  return age > 2 * LIMITS.idLifetime.value
}

function parse(text: string): { found: IdRecord[]; damaged: number } {
  // What follows the last line end is nothing, or a torn end.
  const lines = text.split('\n').slice(0, -1)
  const found = lines.map(recordIn).filter(record => record !== undefined)
  return { found, damaged: lines.length - found.length }
}

function recordIn(line: string): IdRecord | undefined {
  const json = line.slice(CHECK_LENGTH + 1)
  if (line !== `${checkOf(json)} ${json}`) return undefined
  const [kind, digest, expiresAt, folder, name, inode, from = ''] = JSON.parse(json)
  const isKnown = (folder === 'inbox' || folder === 'received') && (kind === 'about' || kind === 'stored')
  return isKnown ? { kind, digest, expiresAt, folder, name, inode, from } : undefined
}

const CHECK_LENGTH = 16
