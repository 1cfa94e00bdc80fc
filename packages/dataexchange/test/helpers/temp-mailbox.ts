import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Logger } from '#lib/logger.js'
import type { MailboxConfig } from '#lib/mailbox/config.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'

/** Creates a folder that is removed when the test ends. */
export async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'pilot-dx-mailbox-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Opens a mailbox in a folder of its own. It is closed when the test ends. */
export async function tempMailbox(
  t: TestContext,
  config: MailboxConfig = {},
  logger?: Logger,
): Promise<Mailbox> {
  const root = await tempDir(t)
  const mailbox = await Mailbox.open(
    { inboxDir: join(root, 'inbox'), receivedDir: join(root, 'received'), ...config },
    logger,
  )
  t.after(() => mailbox.close())
  return mailbox
}

/** The sorted names in `dir` without the hidden subfolders. */
export async function namesIn(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter(name => !HIDDEN.has(name)).sort()
}

const HIDDEN: ReadonlySet<string> = new Set([
  '.tmp',
  '.records',
  '.ids',
  '.partial',
  '.unpacking',
  '.journal',
])

/** The content of `dir` at any depth, without empty hidden subfolders and the journal. */
export async function contentOf(dir: string): Promise<string[]> {
  const names = await readdir(dir, { recursive: true })
  return names.filter(name => !HIDDEN.has(name) && !name.startsWith('.journal/')).sort()
}

/** The names of the temporary files in `dir`. */
export function temporariesIn(dir: string): Promise<string[]> {
  return readdir(join(dir, '.tmp'))
}

/** Parses the message at `path`. */
export async function readMessage(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8'))
}

/** A payload of `length` bytes: the first `first` bytes come at once, the rest after `release`. */
export function heldBack(
  length: number,
  first: number,
): { slow: () => AsyncGenerator<Uint8Array>; release: () => void } {
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  async function* slow() {
    yield Buffer.alloc(first, 1)
    await held
    yield Buffer.alloc(length - first, 1)
  }
  return { slow, release }
}

/** `bytes` in pieces of `size` bytes. */
export async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** Go's conversion of `bytes` to text, slow and simple: each byte that is not UTF-8 becomes U+FFFD. */
export function goText(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; ) {
    const length = [1, 2, 3, 4].find(n => i + n <= bytes.length && isOne(bytes.subarray(i, i + n)))
    text += length === undefined ? '\uFFFD' : Buffer.from(bytes.subarray(i, i + length)).toString()
    i += length ?? 1
  }
  return text
}

function isOne(bytes: Uint8Array): boolean {
  try {
    return [...new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)].length === 1
  } catch {
    return false
  }
}
