import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { bootId } from '#lib/disk/boot-id.js'
import type { Logger } from '#lib/logger.js'
import { encodeBatch, encodeHeader, type JournalEntry } from '#lib/mailbox/journal/journal-format.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { otherBootId, pretendReboot } from '../../../../test/helpers/other-boot.js'
import { tempDir } from './temp-mailbox.js'

/** Who wrote a segment that {@link plantSegment} makes: the name without its end. @default a process that has ended */
export const DEAD = '2147483646-0123456789abcdef-1'
/** A process that runs, and is another one. */
export const ALIVE = `${process.ppid}-0123456789abcdef-1`

export interface Planted {
  /** @default DEAD */
  readonly writer?: string
  /** Whether it was written before the machine was started. @default true */
  readonly beforeBoot?: boolean
  /** Behind its entries. @default nothing */
  readonly tail?: Uint8Array
}

/** Makes a segment beside the folder `inboxDir`, as a process before has left it; returns its path. */
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

/** A file with a content that depends on its name, as the journal has it. */
export function entry(name: string, content = `{"of":"${name}"}`): JournalEntry & { content: Buffer } {
  return { name, content: Buffer.from(content) }
}

/** The folder as a power cut leaves it that spares all that was written; it is not that of the mailbox. */
export async function cutPower(t: TestContext, { inboxDir }: Pick<Mailbox, 'inboxDir'>): Promise<string> {
  const copy = join(await tempDir(t), 'inbox')
  await cp(inboxDir, copy, { recursive: true, preserveTimestamps: true })
  pretendReboot(copy)
  return copy
}

/** The power goes: what was said last about ids, and is not synced yet, is lost. */
export async function loseStoredIds(inboxDir: string): Promise<void> {
  const dir = join(inboxDir, '.ids')
  for (const name of await readdir(dir)) {
    const lines = (await readFile(join(dir, name), 'utf8')).split('\n')
    await writeFile(join(dir, name), lines.filter(line => !line.includes('["stored"')).join('\n'))
  }
}

/** Opens a mailbox on `inboxDir`, closed with the test. */
export async function openMailbox(t: TestContext, inboxDir: string, logger?: Logger): Promise<Mailbox> {
  const mailbox = await Mailbox.open({ inboxDir, receivedDir: join(await tempDir(t), 'received') }, logger)
  t.after(() => mailbox.close())
  return mailbox
}
