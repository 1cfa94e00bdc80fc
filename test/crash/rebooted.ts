import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeSegment } from '#lib/mailbox/journal/journal-format.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { pretendReboot } from '../helpers/other-boot.js'
import { type Folders, foldersIn, JOURNAL, look, Scratch, segments, visible } from './folders.js'
import type { Ledger } from './ledger.js'
import type { Random } from './random.js'

/**
 * Returns the errors after a power cut now and a new start: a copy of the folders loses any part of the data that
 * only the journal makes durable. Nobody may be writing in them.
 */
export async function judgeAfterPowerCut(
  folders: Folders,
  ledger: Ledger,
  random: Random,
): Promise<string[]> {
  using scratch = new Scratch()
  const copy = foldersIn(scratch.path)
  copyFolders(folders, copy, random)
  pretendReboot(copy.inboxDir)
  await (await Mailbox.open({ ...copy, ...NO_LIMITS })).close()
  const found = look(copy)
  const torn = found.filter(({ key }) => key === undefined).map(({ path }) => `not whole: ${path}`)
  return [...torn, ...ledger.judge(found)].map(problem => `after a power cut: ${problem}`)
}

/** The segments of other processes that `service` has still not forgotten, some seconds after its start. */
export async function leftSegments(folders: Folders, service: { readonly pid: number }): Promise<string[]> {
  const left = () => segments(folders, service.pid)
  for (const deadline = performance.now() + FORGET_MS; left().length > 0; await delay(10))
    if (performance.now() > deadline) break
  return left()
}

/** Far more than it takes. */
const FORGET_MS = 30_000

const NO_LIMITS = { inboxMaxFiles: 1e9, inboxMaxBytes: -1, receivedMaxBytes: -1, unpack: false }

function copyFolders(folders: Folders, copy: Folders, random: Random): void {
  const { inboxDir, receivedDir } = folders
  // A service that was killed at its start has made none. One that has ended changes none, and a recovery puts others
  // in their place.
  if (existsSync(receivedDir)) cpSync(receivedDir, copy.receivedDir, { recursive: true })
  mkdirSync(copy.inboxDir, { mode: 0o700 })
  const atRisk = journalled(folders)
  for (const name of visible(inboxDir)) {
    const [from, to] = [join(inboxDir, name), join(copy.inboxDir, name)]
    if (atRisk.has(name)) writeFileSync(to, readFileSync(from), { mode: 0o600 })
    else linkSync(from, to)
    if (atRisk.has(name)) damage(to, random)
  }
  const journal = join(inboxDir, JOURNAL)
  if (existsSync(journal)) cpSync(journal, join(copy.inboxDir, JOURNAL), { recursive: true })
}

/** The names of which a journal holds the content. */
function journalled(folders: Folders): Set<string> {
  const entries = segments(folders).flatMap(path => decodeSegment(readFileSync(path)).entries)
  return new Set(entries.map(({ name }) => name))
}

/** The possible states of a file that was not synced. */
function damage(path: string, random: Random): void {
  const { size } = statSync(path)
  const draw = random.next()
  if (draw < 0.3) rmSync(path)
  else if (draw < 0.5) truncateSync(path, random.integer(0, size))
  else if (draw < 0.7) writeFileSync(path, Buffer.alloc(random.integer(0, size)))
  else if (draw < 0.8) {
    const content = readFileSync(path)
    const hole = random.integer(0, size)
    writeFileSync(path, content.fill(0, hole, random.integer(hole, size)))
  }
}
