import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { bootId } from '#lib/disk/boot-id.js'
import type { Logger } from '#lib/logger.js'
import { encodeBatch, encodeHeader, type JournalEntry } from '#lib/mailbox/journal/journal-format.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { otherBootId, pretendReboot } from '../../../../test/helpers/other-boot.js'
import { tempDir } from './temp-mailbox.js'

/** The name, without suffix, of a segment of a dead process. */
export const DEAD = '2147483646-0123456789abcdef-1'
/** The name, without suffix, of a segment of another, running process. */
export const ALIVE = `${process.ppid}-0123456789abcdef-1`

export interface Planted {
  /** The name without suffix. @default DEAD */
  readonly writer?: string
  /** Whether it is of an earlier boot. @default true */
  readonly beforeBoot?: boolean
  /** Bytes after the entries. @default none */
  readonly tail?: Uint8Array
}

/** Creates a segment in the journal of `inboxDir`, as an earlier process would leave it, and returns its path. */
export async function plantSegment(
  inboxDir: string,
  entries: readonly JournalEntry[],
  { writer = DEAD, beforeBoot = true, tail = new Uint8Array() }: Planted = {},
): Promise<string> {
  const dir = join(inboxDir, '.journal')
  await mkdir(dir, { recursive: true })
  const path = join(dir, `${writer}.log`)
  const header = encodeHeader(beforeBoot ? otherBootId() : bootId())
  await writeFile(path, Buffer.concat([header, ...entries.map(entry => encodeBatch([entry])), tail]))
  return path
}

/** A journal entry whose default content depends on its name. */
export function entry(name: string, content = `{"of":"${name}"}`): JournalEntry & { content: Buffer } {
  return { name, content: Buffer.from(content) }
}

/** A copy of the inbox as after a power cut in which no write was lost. */
export async function cutPower(t: TestContext, { inboxDir }: Pick<Mailbox, 'inboxDir'>): Promise<string> {
  const copy = join(await tempDir(t), 'inbox')
  await cp(inboxDir, copy, { recursive: true, preserveTimestamps: true })
  pretendReboot(copy)
  return copy
}

/** Removes the `stored` records of the id log, as a power cut can do: they are written but not synced. */
export async function loseStoredIds(inboxDir: string): Promise<void> {
  const dir = join(inboxDir, '.ids')
  for (const name of await readdir(dir)) {
    const lines = (await readFile(join(dir, name), 'utf8')).split('\n')
    await writeFile(join(dir, name), lines.filter(line => !line.includes('["stored"')).join('\n'))
  }
}

/** Opens a mailbox on `inboxDir`. It is closed when the test ends. */
export async function openMailbox(t: TestContext, inboxDir: string, logger?: Logger): Promise<Mailbox> {
  const mailbox = await Mailbox.open({ inboxDir, receivedDir: join(await tempDir(t), 'received') }, logger)
  t.after(() => mailbox.close())
  return mailbox
}
