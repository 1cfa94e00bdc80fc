import assert from 'node:assert/strict'
import { linkSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { silentLogger } from '#lib/logger.js'
import type { Mailbox } from '#lib/mailbox/mailbox.js'
import { inPieces, namesIn, tempDir, tempMailbox } from './temp-mailbox.js'

async function store(mailbox: Mailbox, size: number): Promise<string> {
  const payload = Buffer.alloc(size, 'x')
  const { path } = await mailbox.storeMessage({ type: 'TEXT', from: 'a', length: size }, payload)
  return basename(path)
}

async function bytesIn(dir: string): Promise<number> {
  const sizes = await Promise.all((await namesIn(dir)).map(async name => (await stat(join(dir, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('[inbox.max-files] past inboxMaxFiles the oldest go', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 5, durability: 'os' })
  const names: string[] = []
  for (let i = 0; i < 12; i++) {
    names.push(await store(mailbox, 10))
    assert.deepEqual(await namesIn(mailbox.inboxDir), names.slice(-5))
  }
})

test('many at once end at the cap as well, and the last one stays', async t => {
  const lines: string[] = []
  const logger = { ...silentLogger, info: (_: object, message: string) => lines.push(message) }
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 7, durability: 'os' }, logger)
  await Promise.all(Array.from({ length: 100 }, () => store(mailbox, 10)))
  const last = await store(mailbox, 10)
  const left = await namesIn(mailbox.inboxDir)
  assert.equal(left.length, 7)
  assert.ok(left.includes(last))
  assert.equal(lines.length, 1)
})

test('[inbox.max-bytes] past inboxMaxBytes the oldest go, down to 90 %', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 10_000, durability: 'os' })
  let before = 0
  let evictions = 0
  for (let i = 0; i < 40; i++) {
    await store(mailbox, 300)
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

test('a message of nearly the cap replaces all others and stays', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 10_000, durability: 'os' })
  await store(mailbox, 5000)
  const large = await store(mailbox, 9_700)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [large])
})

test('a message over the cap is refused and evicts nothing', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 400_000, durability: 'os' })
  const kept = [await store(mailbox, 200_000), await store(mailbox, 100_000)]
  const full = { code: 'INBOX_FULL', name: 'MailboxError' }
  let read = false
  async function* unread() {
    read = true
    yield Buffer.alloc(1)
  }
  await assert.rejects(mailbox.storeMessage({ type: 'TEXT', from: 'a', length: 400_001 }, unread()), full)
  assert.equal(read, false)
  // Below the cap as it comes, above it as it would be written.
  for (const size of [100_000, 300_000]) {
    const growing = Buffer.alloc(size, 1)
    const message = { type: 'TEXT', from: 'a', length: size }
    await assert.rejects(mailbox.storeMessage(message, growing), full)
    await assert.rejects(mailbox.storeMessage(message, inPieces(growing, 50_000)), full)
  }
  assert.deepEqual(await readdir(mailbox.inboxDir), ['.tmp', ...kept])
  assert.deepEqual(await readdir(join(mailbox.inboxDir, '.tmp')), [])
})

test('[inbox.max-bytes-negative] [inbox.max-bytes-default] a negative inboxMaxBytes is no limit, zero is the default', async t => {
  const inboxDir = join(await tempDir(t), 'inbox')
  await mkdir(inboxDir)
  // A file that is all hole: it has this size, and takes no room.
  const large = 'TEXT-20200101-000000.000-000001.json'
  await writeFile(join(inboxDir, large), '')
  await truncate(join(inboxDir, large), 257 * 2 ** 20)
  const free = await tempMailbox(t, { inboxDir, inboxMaxBytes: -1, durability: 'os' })
  const first = await store(free, 10)
  assert.deepEqual(await namesIn(inboxDir), [large, first])
  const bounded = await tempMailbox(t, { inboxDir, inboxMaxBytes: 0, durability: 'os' })
  const second = await store(bounded, 10)
  assert.deepEqual(await namesIn(inboxDir), [first, second])
})

test('[inbox.max-files-zero] [inbox.max-files-default] inboxMaxFiles of zero or less is 10,000', async t => {
  const inboxDir = join(await tempDir(t), 'inbox')
  await mkdir(inboxDir)
  const old = (seq: number) => `TEXT-20200101-000000.000-${String(seq).padStart(6, '0')}.json`
  writeFileSync(join(inboxDir, old(1)), '{}')
  for (let seq = 2; seq <= 10_000; seq++) linkSync(join(inboxDir, old(1)), join(inboxDir, old(seq)))
  for (const [round, inboxMaxFiles] of [0, -1].entries()) {
    const mailbox = await tempMailbox(t, { inboxDir, inboxMaxFiles, durability: 'os' })
    const stored = await store(mailbox, 10)
    const left = await namesIn(inboxDir)
    assert.equal(left.length, 10_000)
    assert.ok(left.includes(stored))
    assert.equal(left[0], old(2 + round))
  }
})

test('what is in the folder at the start counts, by the age in its name, else by its date', async t => {
  const inboxDir = join(await tempDir(t), 'inbox')
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
  const stored = await store(mailbox, 1)
  const left = [...inOrder.slice(2), stored, 'folder.json', 'readme.txt'].sort()
  assert.deepEqual(await namesIn(inboxDir), left)
})

test('what a reader has removed is forgotten', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 3, durability: 'os' })
  const [first = ''] = [await store(mailbox, 1), await store(mailbox, 1), await store(mailbox, 1)]
  await rm(join(mailbox.inboxDir, first))
  await store(mailbox, 1)
  const last = await store(mailbox, 1)
  const left = await namesIn(mailbox.inboxDir)
  assert.equal(left.length, 3)
  assert.ok(left.includes(last))
})

test('before it evicts with an old listing it looks what others have removed and added', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 4, durability: 'os' })
  const names: string[] = []
  for (let i = 0; i < 4; i++) names.push(await store(mailbox, 1))
  await rm(join(mailbox.inboxDir, names[2]!))
  await rm(join(mailbox.inboxDir, names[3]!))
  await writeFile(join(mailbox.inboxDir, 'TEXT-20200101-000000.000-000001.json'), '{}')
  const now = performance.now.bind(performance)
  t.mock.method(performance, 'now', () => now() + 11_000)
  const fifth = await store(mailbox, 1)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [
    'TEXT-20200101-000000.000-000001.json',
    names[0],
    names[1],
    fifth,
  ])
  const sixth = await store(mailbox, 1)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [names[0], names[1], fifth, sixth])
})
