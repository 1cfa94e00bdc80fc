import assert from 'node:assert/strict'
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type FolderEntry, FolderIndex } from '#lib/disk/folder-index.js'
import { silentLogger } from '#lib/logger.js'
import type { MailboxConfig } from '#lib/mailbox/config.js'
import { InboxQuota } from '#lib/mailbox/inbox/quota.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'
import { inPieces, namesIn, tempMailbox } from '../../helpers/temp-mailbox.js'

async function open(t: TestContext, config: MailboxConfig, dir = tempDir(t)) {
  const inboxDir = join(dir, 'inbox')
  const mailbox = await Mailbox.open({ inboxDir, receivedDir: join(dir, 'received'), ...config })
  t.after(() => mailbox.close())
  const send = (from: string, data: string) =>
    mailbox.storeMessage({ type: 'TEXT', from, length: data.length }, Buffer.from(data))
  /** `from:data` of every message, oldest first. */
  const stored = () =>
    readdirSync(inboxDir)
      .filter(name => name.endsWith('.json'))
      .sort()
      .map(name => JSON.parse(readFileSync(join(inboxDir, name), 'utf8')))
      .map(({ from, data }) => `${from}:${data}`)
  return { dir, inboxDir, send, stored }
}

test('refuse: a full inbox refuses messages and keeps the old ones', async t => {
  const { inboxDir, send, stored } = await open(t, { inboxMaxFiles: 2, whenFull: 'refuse' })
  await send('a', '1')
  await send('a', '2')
  await assert.rejects(send('a', '3'), { code: 'INBOX_FULL' })
  assert.deepEqual(stored(), ['a:1', 'a:2'])
  assert.deepEqual(readdirSync(join(inboxDir, '.tmp')), [])
})

test('refuse: concurrent messages do not exceed the limit together', async t => {
  const { send, stored } = await open(t, { inboxMaxFiles: 5, whenFull: 'refuse' })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => send('a', `${i}`)))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 5)
  assert.equal(stored().length, 5)
})

test('refuse: the limit on bytes holds, too', async t => {
  const { send, stored } = await open(t, { inboxMaxBytes: 1000, whenFull: 'refuse' })
  await send('a', 'x'.repeat(600))
  await assert.rejects(send('a', 'y'.repeat(600)), { code: 'INBOX_FULL' })
  await send('a', 'z')
  assert.equal(stored().length, 2)
})

test('share: a sender past its share loses its own oldest messages', async t => {
  const { send, stored } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.3 })
  await send('quiet', '1')
  for (let i = 1; i <= 8; i++) await send('loud', `${i}`)
  await send('quiet', '2')
  assert.deepEqual(stored(), ['quiet:1', 'loud:6', 'loud:7', 'loud:8', 'quiet:2'])
})

test('share: messages from before the start count, too', async t => {
  const before = await open(t, { inboxMaxFiles: 10 })
  for (let i = 1; i <= 4; i++) await before.send('loud', `${i}`)
  await before.send('quiet', '1')
  const { send, stored } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.3 }, before.dir)
  await send('loud', '5')
  assert.deepEqual(stored().sort(), ['loud:3', 'loud:4', 'loud:5', 'quiet:1'])
})

test('share: with refuse, a sender past its share is refused and others are not', async t => {
  const { send, stored } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.2, whenFull: 'refuse' })
  await send('loud', '1')
  await send('loud', '2')
  await assert.rejects(send('loud', '3'), { code: 'INBOX_FULL' })
  await send('quiet', '1')
  assert.equal(stored().length, 3)
})

test('share: with refuse, concurrent messages of a sender do not exceed its share together', async t => {
  const { send, stored } = await open(t, { inboxMaxFiles: 20, inboxShare: 0.2, whenFull: 'refuse' })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => send('loud', `${i}`)))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 4)
  await send('quiet', '1')
  assert.equal(stored().length, 5)
})

test('share: other senders lose no message to one that sends many at once', async t => {
  const { send, stored } = await open(t, { inboxMaxFiles: 20, inboxShare: 0.2 })
  for (const from of ['b', 'c', 'd', 'e']) for (let i = 0; i < 4; i++) await send(from, `${i}`)
  await Promise.all(Array.from({ length: 40 }, (_, i) => send('loud', `${i}`)))
  assert.equal(stored().filter(message => !message.startsWith('loud')).length, 16)
  assert.equal(stored().length, 20)
})

test('share: a message larger than the share is refused and evicts nothing', async t => {
  for (const whenFull of ['evict', 'refuse'] as const) {
    const { send, stored } = await open(t, { inboxMaxBytes: 10_000, inboxShare: 0.2, whenFull })
    for (const from of ['a', 'b', 'c', 'd']) await send(from, 'x'.repeat(1500))
    await assert.rejects(send('loud', 'x'.repeat(2500)), { code: 'INBOX_FULL' })
    await assert.rejects(send('loud', 'x'.repeat(1950)), { code: 'INBOX_FULL' })
    await send('loud', 'x'.repeat(1000))
    assert.equal(stored().length, 5)
  }
})

test('messages that other programs have removed are dropped from memory', async t => {
  const limits = { maxFiles: 1000, maxBytes: 1_000_000, share: 0.9, whenFull: 'evict' } as const
  const quota = new InboxQuota(tempDir(t), limits, silentLogger)
  const entries: WeakRef<FolderEntry>[] = []
  const { add } = FolderIndex.prototype
  // A mock would keep its results in memory.
  t.after(() => Object.assign(FolderIndex.prototype, { add }))
  FolderIndex.prototype.add = function (name, size) {
    const entry = add.call(this, name, size)
    entries.push(new WeakRef(entry))
    return entry
  }
  // None of the messages is in the folder.
  for (let i = 0; i < 300; i++) quota.added(`${i}.json`, 10, `sender ${i % 3}`)
  await quota.refresh()
  await nextTurn()
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  assert.equal(entries.length, 300)
  // Only the latest message is kept.
  assert.equal(entries.filter(entry => entry.deref() !== undefined).length, 1)
})

test('share: messages that other programs remove do not count', async t => {
  const { inboxDir, send } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.2, whenFull: 'refuse' })
  const now = t.mock.method(performance, 'now', performance.now.bind(performance))
  await send('loud', '1')
  await send('loud', '2')
  for (const name of readdirSync(inboxDir).filter(name => name.endsWith('.json')))
    rmSync(join(inboxDir, name))
  const real = performance.now.bind(performance)
  now.mock.restore()
  t.mock.method(performance, 'now', () => real() + 11_000)
  await send('loud', '3')
})

test('an invalid share is rejected', async t => {
  for (const inboxShare of [0, -1, 1.5, Number.NaN]) {
    await assert.rejects(open(t, { inboxShare }), { code: 'CONFIG_INVALID' })
  }
})

async function storeSize(mailbox: Mailbox, size: number): Promise<string> {
  const payload = Buffer.alloc(size, 'x')
  const { path } = await mailbox.storeMessage({ type: 'TEXT', from: 'a', length: size }, payload)
  return basename(path)
}

async function bytesIn(dir: string): Promise<number> {
  const sizes = await Promise.all((await namesIn(dir)).map(async name => (await stat(join(dir, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('[inbox.max-files] past inboxMaxFiles the oldest are evicted', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 5, durability: 'os' })
  const names: string[] = []
  for (let i = 0; i < 12; i++) {
    names.push(await storeSize(mailbox, 10))
    assert.deepEqual(await namesIn(mailbox.inboxDir), names.slice(-5))
  }
})

test('concurrent messages end at the limit, too, and the latest stays', async t => {
  const lines: string[] = []
  const logger = { ...silentLogger, info: (_: object, message: string) => lines.push(message) }
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 7, durability: 'os' }, logger)
  await Promise.all(Array.from({ length: 100 }, () => storeSize(mailbox, 10)))
  const last = await storeSize(mailbox, 10)
  const left = await namesIn(mailbox.inboxDir)
  assert.equal(left.length, 7)
  assert.ok(left.includes(last))
  assert.equal(lines.length, 1)
})

test('[inbox.max-bytes] past inboxMaxBytes the oldest are evicted, down to 90 %', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 10_000, durability: 'os' })
  let before = 0
  let evictions = 0
  for (let i = 0; i < 40; i++) {
    await storeSize(mailbox, 300)
    const bytes = await bytesIn(mailbox.inboxDir)
    assert.ok(bytes <= 10_000)
    if (bytes < before) {
      evictions++
      assert.ok(bytes <= 9_000 && bytes > 8_000, `${bytes} left`)
    }
    before = bytes
  }
  assert.ok(evictions >= 2)
})

test('a message of nearly the limit evicts all others and stays', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 10_000, durability: 'os' })
  await storeSize(mailbox, 5000)
  const large = await storeSize(mailbox, 9_700)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [large])
})

test('a message over the limit is refused and evicts nothing', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 400_000, durability: 'os' })
  const kept = [await storeSize(mailbox, 200_000), await storeSize(mailbox, 100_000)]
  const full = { code: 'INBOX_FULL', name: 'MailboxError' }
  let read = false
  async function* unread() {
    read = true
    yield Buffer.alloc(1)
  }
  await assert.rejects(mailbox.storeMessage({ type: 'TEXT', from: 'a', length: 400_001 }, unread()), full)
  assert.equal(read, false)
  // The payload is below the limit, its JSON above it.
  for (const size of [100_000, 300_000]) {
    const growing = Buffer.alloc(size, 1)
    const message = { type: 'TEXT', from: 'a', length: size }
    await assert.rejects(mailbox.storeMessage(message, growing), full)
    await assert.rejects(mailbox.storeMessage(message, inPieces(growing, 50_000)), full)
  }
  assert.deepEqual(await readdir(mailbox.inboxDir), ['.tmp', ...kept])
  assert.deepEqual(await readdir(join(mailbox.inboxDir, '.tmp')), [])
})

test('[inbox.max-bytes-negative] [inbox.max-bytes-default] a negative inboxMaxBytes means no limit, zero the default', async t => {
  const inboxDir = join(tempDir(t), 'inbox')
  await mkdir(inboxDir)
  // A sparse file: it has this size without using the disk.
  const large = 'TEXT-20200101-000000.000-000001.json'
  await writeFile(join(inboxDir, large), '')
  await truncate(join(inboxDir, large), 257 * 2 ** 20)
  const free = await tempMailbox(t, { inboxDir, inboxMaxBytes: -1, durability: 'os' })
  const first = await storeSize(free, 10)
  assert.deepEqual(await namesIn(inboxDir), [large, first])
  const bounded = await tempMailbox(t, { inboxDir, inboxMaxBytes: 0, durability: 'os' })
  const second = await storeSize(bounded, 10)
  assert.deepEqual(await namesIn(inboxDir), [first, second])
})

test('[inbox.max-files-zero] [inbox.max-files-default] inboxMaxFiles of zero or less is 10,000', async t => {
  const inboxDir = join(tempDir(t), 'inbox')
  await mkdir(inboxDir)
  const old = (seq: number) => `TEXT-20200101-000000.000-${String(seq).padStart(6, '0')}.json`
  writeFileSync(join(inboxDir, old(1)), '{}')
  for (let seq = 2; seq <= 10_000; seq++) linkSync(join(inboxDir, old(1)), join(inboxDir, old(seq)))
  for (const [round, inboxMaxFiles] of [0, -1].entries()) {
    const mailbox = await tempMailbox(t, { inboxDir, inboxMaxFiles, durability: 'os' })
    const stored = await storeSize(mailbox, 10)
    const left = await namesIn(inboxDir)
    assert.equal(left.length, 10_000)
    assert.ok(left.includes(stored))
    assert.equal(left[0], old(2 + round))
  }
})

test('messages from before the start are ordered by the time in their name, else by their modification time', async t => {
  const inboxDir = join(tempDir(t), 'inbox')
  await mkdir(inboxDir)
  await mkdir(join(inboxDir, 'folder.json'))
  const inOrder = [
    'noted.json',
    'TEXT-20200101-000000.000-000001.json',
    'BINARY-20200101-000000.000-000002.json',
    'AUTOANSWER-20210101-000000.000-000001.json',
  ]
  for (const name of [...inOrder, 'readme.txt']) await writeFile(join(inboxDir, name), '{}')
  await utimes(join(inboxDir, 'noted.json'), 1_500_000_000, 1_500_000_000)
  const mailbox = await tempMailbox(t, { inboxDir, inboxMaxFiles: 3, durability: 'os' })
  assert.equal((await namesIn(inboxDir)).length, 6)
  const stored = await storeSize(mailbox, 1)
  const left = [...inOrder.slice(2), stored, 'folder.json', 'readme.txt'].sort()
  assert.deepEqual(await namesIn(inboxDir), left)
})

test('a message that a reader has removed does not count', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 3, durability: 'os' })
  const [first = ''] = [await storeSize(mailbox, 1), await storeSize(mailbox, 1), await storeSize(mailbox, 1)]
  await rm(join(mailbox.inboxDir, first))
  await storeSize(mailbox, 1)
  const last = await storeSize(mailbox, 1)
  const left = await namesIn(mailbox.inboxDir)
  assert.equal(left.length, 3)
  assert.ok(left.includes(last))
})

test('with a stale listing, the folder is listed again before an eviction', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 4, durability: 'os' })
  const names: string[] = []
  for (let i = 0; i < 4; i++) names.push(await storeSize(mailbox, 1))
  await rm(join(mailbox.inboxDir, names[2]!))
  await rm(join(mailbox.inboxDir, names[3]!))
  await writeFile(join(mailbox.inboxDir, 'TEXT-20200101-000000.000-000001.json'), '{}')
  const now = performance.now.bind(performance)
  t.mock.method(performance, 'now', () => now() + 11_000)
  const fifth = await storeSize(mailbox, 1)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [
    'TEXT-20200101-000000.000-000001.json',
    names[0],
    names[1],
    fifth,
  ])
  const sixth = await storeSize(mailbox, 1)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [names[0], names[1], fifth, sixth])
})
