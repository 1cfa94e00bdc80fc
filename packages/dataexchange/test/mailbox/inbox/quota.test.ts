import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type FolderEntry, FolderIndex } from '#lib/disk/folder-index.js'
import { silentLogger } from '#lib/logger.js'
import type { MailboxConfig } from '#lib/mailbox/config.js'
import { InboxQuota } from '#lib/mailbox/inbox/quota.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.ts'

async function open(t: TestContext, config: MailboxConfig, dir = tempDir(t)) {
  const inboxDir = join(dir, 'inbox')
  const mailbox = await Mailbox.open({ inboxDir, receivedDir: join(dir, 'received'), ...config })
  t.after(() => mailbox.close())
  const send = (from: string, data: string) =>
    mailbox.storeMessage({ type: 'TEXT', from, length: data.length }, Buffer.from(data))
  /** `from:data` of every message, oldest first. */
  const held = () =>
    readdirSync(inboxDir)
      .filter(name => name.endsWith('.json'))
      .sort()
      .map(name => JSON.parse(readFileSync(join(inboxDir, name), 'utf8')))
      .map(({ from, data }) => `${from}:${data}`)
  return { dir, inboxDir, send, held }
}

test('refuse: a full inbox takes no more, and keeps what it has', async t => {
  const { inboxDir, send, held } = await open(t, { inboxMaxFiles: 2, whenFull: 'refuse' })
  await send('a', '1')
  await send('a', '2')
  await assert.rejects(send('a', '3'), { code: 'INBOX_FULL' })
  assert.deepEqual(held(), ['a:1', 'a:2'])
  assert.deepEqual(readdirSync(join(inboxDir, '.tmp')), [])
})

test('refuse: messages that are written at once do not pass the limit together', async t => {
  const { send, held } = await open(t, { inboxMaxFiles: 5, whenFull: 'refuse' })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => send('a', `${i}`)))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 5)
  assert.equal(held().length, 5)
})

test('refuse: bytes count as well', async t => {
  const { send, held } = await open(t, { inboxMaxBytes: 1000, whenFull: 'refuse' })
  await send('a', 'x'.repeat(600))
  await assert.rejects(send('a', 'y'.repeat(600)), { code: 'INBOX_FULL' })
  await send('a', 'z')
  assert.equal(held().length, 2)
})

test('share: a sender past its share loses its own oldest messages, not those of others', async t => {
  const { send, held } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.3 })
  await send('quiet', '1')
  for (let i = 1; i <= 8; i++) await send('loud', `${i}`)
  await send('quiet', '2')
  assert.deepEqual(held(), ['quiet:1', 'loud:6', 'loud:7', 'loud:8', 'quiet:2'])
})

test('share: it holds for messages that were there before, the oldest first', async t => {
  const before = await open(t, { inboxMaxFiles: 10 })
  for (let i = 1; i <= 4; i++) await before.send('loud', `${i}`)
  await before.send('quiet', '1')
  const { send, held } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.3 }, before.dir)
  await send('loud', '5')
  assert.deepEqual(held().sort(), ['loud:3', 'loud:4', 'loud:5', 'quiet:1'])
})

test('share: with refuse, the sender is refused and others are not', async t => {
  const { send, held } = await open(t, { inboxMaxFiles: 10, inboxShare: 0.2, whenFull: 'refuse' })
  await send('loud', '1')
  await send('loud', '2')
  await assert.rejects(send('loud', '3'), { code: 'INBOX_FULL' })
  await send('quiet', '1')
  assert.equal(held().length, 3)
})

test('share: with refuse, messages that one sender has written at once do not pass it together', async t => {
  const { send, held } = await open(t, { inboxMaxFiles: 20, inboxShare: 0.2, whenFull: 'refuse' })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => send('loud', `${i}`)))
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 4)
  await send('quiet', '1')
  assert.equal(held().length, 5)
})

test('share: others lose nothing to a sender that sends many at once', async t => {
  const { send, held } = await open(t, { inboxMaxFiles: 20, inboxShare: 0.2 })
  for (const from of ['b', 'c', 'd', 'e']) for (let i = 0; i < 4; i++) await send(from, `${i}`)
  await Promise.all(Array.from({ length: 40 }, (_, i) => send('loud', `${i}`)))
  assert.equal(held().filter(message => !message.startsWith('loud')).length, 16)
  assert.equal(held().length, 20)
})

test('share: a message larger than that is refused, and nobody loses one to it', async t => {
  for (const whenFull of ['evict', 'refuse'] as const) {
    const { send, held } = await open(t, { inboxMaxBytes: 10_000, inboxShare: 0.2, whenFull })
    for (const from of ['a', 'b', 'c', 'd']) await send(from, 'x'.repeat(1500))
    await assert.rejects(send('loud', 'x'.repeat(2500)), { code: 'INBOX_FULL' })
    await assert.rejects(send('loud', 'x'.repeat(1950)), { code: 'INBOX_FULL' })
    await send('loud', 'x'.repeat(1000))
    assert.equal(held().length, 5)
  }
})

test('messages that others have removed are not kept in mind', async t => {
  const limits = { maxFiles: 1000, maxBytes: 1_000_000, share: 0.9, whenFull: 'evict' } as const
  const quota = new InboxQuota(tempDir(t), limits, silentLogger)
  const entries: WeakRef<FolderEntry>[] = []
  const { add } = FolderIndex.prototype
  // A mock would keep what it has returned.
  t.after(() => Object.assign(FolderIndex.prototype, { add }))
  FolderIndex.prototype.add = function (name, size) {
    const entry = add.call(this, name, size)
    entries.push(new WeakRef(entry))
    return entry
  }
  // None of them is in the folder.
  for (let i = 0; i < 300; i++) quota.added(`${i}.json`, 10, `sender ${i % 3}`)
  await quota.refresh()
  await nextTurn()
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  assert.equal(entries.length, 300)
  // The one stored last is.
  assert.equal(entries.filter(entry => entry.deref() !== undefined).length, 1)
})

test('share: messages that others remove give their room back', async t => {
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

test('a share that is none is an error', async t => {
  for (const inboxShare of [0, -1, 1.5, Number.NaN]) {
    await assert.rejects(open(t, { inboxShare }), { code: 'CONFIG_INVALID' })
  }
})
