import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { link, mkdir, readdir, readFile, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DurableFolder } from '#lib/disk/durable-folder.js'
import { folderLayout } from '#lib/disk/layout.js'
import type { MailboxError } from '#lib/errors.js'
import { LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import type { MailboxConfig } from '#lib/mailbox/config.js'
import { Mailbox, type TransferInput } from '#lib/mailbox/mailbox.js'
import {
  PARTIAL_FILES,
  PARTIAL_FILES_PER_PEER,
  TRANSFERS,
  TRANSFERS_PER_PEER,
  Transfers,
} from '#lib/mailbox/partial/transfers.js'
import { ReceivedQuota } from '#lib/mailbox/received/quota.js'
import { Received } from '#lib/mailbox/received/received.js'
import { StoreSlots } from '#lib/mailbox/store-slots.js'
import { replaceFs } from '../../helpers/faulty-fs.js'
import { namesIn, tempDir, tempMailbox } from '../../helpers/temp-mailbox.js'

const ALICE = '0:0000.0000.000A'
const BOB = '0:0000.0000.000B'
const FULL = { code: 'TRANSFERS_FULL', name: 'MailboxError' }
const CLOSED = { code: 'TRANSFER_CLOSED', name: 'MailboxError' }

function inputFor(content: Buffer, owner = ALICE): TransferInput {
  const sha256 = createHash('sha256').update(content).digest()
  return { id: sha256.subarray(0, 16), owner, filename: 'f.bin', size: content.length, sha256 }
}

function hexId(input: TransferInput): string {
  return Buffer.from(input.id).toString('hex')
}

async function partialsIn(receivedDir: string): Promise<string[]> {
  return (await readdir(join(receivedDir, '.partial')).catch(() => [])).sort()
}

/** Opens the same folders again, as after a restart. */
async function reopen(t: TestContext, mailbox: Mailbox, config: MailboxConfig = {}): Promise<Mailbox> {
  await mailbox.close()
  const { inboxDir, receivedDir } = mailbox
  const again = await Mailbox.open({ inboxDir, receivedDir, ...config })
  t.after(() => again.close())
  return again
}

test('another sender of the same file has a partial file of its own, also after a restart', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(1000)
  const [alices, bobs] = [inputFor(content, ALICE), inputFor(content, BOB)]
  const id = hexId(alices)
  const first = await mailbox.openTransfer(alices)
  await first.write(content.subarray(0, 600))
  const other = await mailbox.openTransfer(bobs)
  assert.equal(other.offset, 0)
  await other.write(Buffer.alloc(900))
  assert.deepEqual(await partialsIn(mailbox.receivedDir), [id, `${id}-0-0000.0000.000B`, `${id}.owner`])

  const later = await reopen(t, mailbox)
  const bobsAgain = await later.openTransfer(bobs)
  assert.equal(bobsAgain.offset, 900)
  await bobsAgain.write(content.subarray(900))
  await assert.rejects(bobsAgain.finish(), { code: 'TRANSFER_CORRUPT' })
  const alicesAgain = await later.openTransfer(alices)
  assert.equal(alicesAgain.offset, 600)
  await alicesAgain.write(content.subarray(600))
  const { path } = await alicesAgain.finish()
  assert.ok((await readFile(path)).equals(content))
  assert.deepEqual(await partialsIn(later.receivedDir), [])
})

test('a partial file without an owner goes to the first sender that asks', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(1000)
  const input = inputFor(content, BOB)
  const dir = join(mailbox.receivedDir, '.partial')
  await mkdir(dir)
  await writeFile(join(dir, hexId(input)), content.subarray(0, 300))
  // A crash may leave an empty owner file.
  await writeFile(join(dir, `${hexId(input)}.owner`), '')
  const transfer = await mailbox.openTransfer(input)
  assert.equal(transfer.offset, 300)
  assert.equal((await mailbox.openTransfer(inputFor(content, ALICE))).offset, 0)
})

test('a newer transfer of the same owner takes over after the write of the older one has ended', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(4 * 1024 * 1024)
  const input = inputFor(content)
  const older = await mailbox.openTransfer(input)
  const writing = older.write(content.subarray(0, 3 * 1024 * 1024))
  const newer = await mailbox.openTransfer(input)
  await writing
  await older.closed
  assert.equal(newer.offset, 3 * 1024 * 1024)
  await assert.rejects(older.write(Buffer.from('x')), CLOSED)
  await assert.rejects(older.finish(), CLOSED)
  await newer.write(content.subarray(newer.offset))
  assert.ok((await readFile((await newer.finish()).path)).equals(content))
})

test('of many concurrent INITs of one transfer, one stays open', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(1000)
  const transfers = await Promise.all(
    Array.from({ length: 20 }, () => mailbox.openTransfer(inputFor(content))),
  )
  const writes = await Promise.allSettled(transfers.map(transfer => transfer.write(content)))
  assert.deepEqual(
    writes.map(({ status }) => status),
    [...Array.from({ length: 19 }, () => 'rejected'), 'fulfilled'],
  )
})

test('a partial file that a crash left with a second, published name is not written to', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(1000)
  const transfer = await mailbox.openTransfer(inputFor(content))
  await transfer.write(content)
  const { path } = await transfer.finish()
  const evil = { ...inputFor(content), size: 2000 }
  await link(path, join(mailbox.receivedDir, '.partial', hexId(evil)))
  const later = await mailbox.openTransfer(evil)
  assert.equal(later.offset, 0)
  await later.write(Buffer.alloc(2000))
  assert.ok((await readFile(path)).equals(content))
})

test('a symbolic link in place of a partial file is not followed', async t => {
  const mailbox = await tempMailbox(t)
  const input = inputFor(randomBytes(1000))
  const outside = join(await tempDir(t), 'outside')
  await writeFile(outside, 'mine')
  await mkdir(join(mailbox.receivedDir, '.partial'))
  await symlink(outside, join(mailbox.receivedDir, '.partial', hexId(input)))
  await assert.rejects(mailbox.openTransfer(input), { code: 'STORE_FAILED' })
  assert.equal(await readFile(outside, 'utf8'), 'mine')
})

test('the hash of a resumed transfer covers the bytes of an earlier process', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(5 * 1024 * 1024 + 3)
  const input = inputFor(content)
  await (await mailbox.openTransfer(input)).write(content.subarray(0, 4_000_000))
  const later = await reopen(t, mailbox)
  const transfer = await later.openTransfer(input)
  // These writes run while the earlier bytes are still being read.
  for (let at = 4_000_000; at < content.length; at += 49_152) {
    await transfer.write(content.subarray(at, at + 49_152))
  }
  assert.ok((await readFile((await transfer.finish()).path)).equals(content))
})

test('a file whose bytes changed on the disk is not published', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(100_000)
  const input = inputFor(content)
  await (await mailbox.openTransfer(input)).write(content.subarray(0, 60_000))
  const later = await reopen(t, mailbox)
  // A power cut may keep the size and lose the bytes.
  await writeFile(join(later.receivedDir, '.partial', hexId(input)), Buffer.alloc(60_000))
  const transfer = await later.openTransfer(input)
  assert.equal(transfer.offset, 60_000)
  await transfer.write(content.subarray(60_000))
  await assert.rejects(transfer.finish(), { code: 'TRANSFER_CORRUPT' })
  const anew = await later.openTransfer(input)
  assert.equal(anew.offset, 0)
  await anew.write(content)
  await anew.finish()
  assert.equal((await namesIn(later.receivedDir)).length, 1)
})

test('a partial file that another program deletes or replaces is not published', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(1000)
  const input = inputFor(content)
  const path = join(mailbox.receivedDir, '.partial', hexId(input))
  for (const replace of [() => {}, () => writeFile(path, randomBytes(1000))]) {
    const transfer = await mailbox.openTransfer(input)
    await transfer.write(content)
    await unlink(path)
    await replace()
    await assert.rejects(transfer.finish(), { code: 'STORE_FAILED' })
    assert.deepEqual(await namesIn(mailbox.receivedDir), [])
    await rm(path, { force: true })
  }
  await rm(join(mailbox.receivedDir, '.partial'), { recursive: true })
  const transfer = await mailbox.openTransfer(input)
  await transfer.write(content)
  await transfer.finish()
})

test('[stream.receive-expiry] partial files idle for an hour are removed at the start, with their owner files', async t => {
  const mailbox = await tempMailbox(t)
  assert.equal(LIMITS.partialTimeout.value, 3_600_000)
  const [old, fresh] = [inputFor(randomBytes(100)), inputFor(randomBytes(100))]
  for (const input of [old, fresh]) await (await mailbox.openTransfer(input)).write(Buffer.alloc(50))
  await mailbox.close()
  const dir = join(mailbox.receivedDir, '.partial')
  const hourAgo = new Date(Date.now() - 3_700_000)
  await utimes(join(dir, hexId(old)), hourAgo, hourAgo)
  await writeFile(join(dir, `${'0'.repeat(32)}.owner`), ALICE)
  await utimes(join(dir, `${'0'.repeat(32)}.owner`), hourAgo, hourAgo)
  await writeFile(join(dir, 'README'), 'not ours')
  await utimes(join(dir, 'README'), hourAgo, hourAgo)
  await reopen(t, mailbox)
  assert.deepEqual(
    await partialsIn(mailbox.receivedDir),
    [hexId(fresh), `${hexId(fresh)}.owner`, 'README'].sort(),
  )
})

test('[stream.receive-expiry] idle partial files are also removed while the service runs', async t => {
  const mailbox = await tempMailbox(t, { partialTimeoutMs: 100 })
  const [left, open] = [inputFor(randomBytes(100)), inputFor(randomBytes(100))]
  await (await mailbox.openTransfer(left)).close('by the test')
  const transfer = await mailbox.openTransfer(open)
  while (existsSync(join(mailbox.receivedDir, '.partial', hexId(left)))) await delay(10)
  await delay(150)
  assert.deepEqual(await partialsIn(mailbox.receivedDir), [hexId(open), `${hexId(open)}.owner`])
  await transfer.close('by the test')
})

test('with partialTimeoutMs off, partial files never expire', async t => {
  const mailbox = await tempMailbox(t)
  const input = inputFor(randomBytes(100))
  await mailbox.openTransfer(input)
  await mailbox.close()
  const path = join(mailbox.receivedDir, '.partial', hexId(input))
  await utimes(path, new Date(0), new Date(0))
  await reopen(t, mailbox, { partialTimeoutMs: -1, transferStallTimeoutMs: -1 })
  assert.ok(existsSync(path))
})

test('the numbers of open transfers, of one owner and in all, are limited', async t => {
  const mailbox = await tempMailbox(t)
  const open = (owner: string) => mailbox.openTransfer(inputFor(randomBytes(10), owner))
  const all = Array.from({ length: TRANSFERS_PER_PEER + 5 }, () => open(ALICE))
  const settled = await Promise.allSettled(all)
  const [first] = settled
  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, TRANSFERS_PER_PEER)
  for (let i = TRANSFERS_PER_PEER; i < TRANSFERS; i++) await open(`peer ${i}`)
  await assert.rejects(open(BOB), FULL)
  if (first?.status === 'fulfilled') await first.value.close('by the test')
  await open(BOB)
})

test('past the number of partial files of one owner, its oldest is removed', async t => {
  const mailbox = await tempMailbox(t)
  const other = inputFor(randomBytes(10), BOB)
  await (await mailbox.openTransfer(other)).close('by the test')
  const most = PARTIAL_FILES_PER_PEER
  const inputs = Array.from({ length: most + 3 }, () => inputFor(randomBytes(10)))
  for (const input of inputs) {
    const transfer = await mailbox.openTransfer(input)
    await transfer.write(Buffer.alloc(1))
    await transfer.close('by the test')
    // File times must differ.
    await delay(2)
  }
  const left = (await partialsIn(mailbox.receivedDir)).filter(name => !name.endsWith('.owner'))
  assert.deepEqual(left, [other, ...inputs.slice(3)].map(hexId).sort())
})

test('past the number of partial files in all, the oldest of the owner with the most is removed', async t => {
  const mailbox = await tempMailbox(t)
  const dir = join(mailbox.receivedDir, '.partial')
  await mkdir(dir)
  const hex = (number: number) => number.toString(16).padStart(32, '0')
  for (let i = 0; i < PARTIAL_FILES; i++) {
    const path = join(dir, hex(i))
    await writeFile(path, 'x')
    if (i < 20) await writeFile(`${path}.owner`, i < 5 ? 'alice' : 'bob')
    else await writeFile(`${path}.owner`, `peer${i}`)
    await utimes(path, new Date(Date.now() - 3_000_000 + i), new Date(Date.now() - 3_000_000 + i))
  }
  const later = await reopen(t, mailbox)
  await later.openTransfer(inputFor(randomBytes(10)))
  assert.ok(!existsSync(join(dir, hex(5))))
  assert.equal((await partialsIn(mailbox.receivedDir)).filter(name => !name.endsWith('.owner')).length, 256)
})

test('[received.max-bytes-partial] partial files count for receivedMaxBytes', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const content = randomBytes(800)
  const transfer = await mailbox.openTransfer(inputFor(content))
  await transfer.write(content.subarray(0, 750))
  const store = () => mailbox.storeFile({ filename: 'f', length: 300 }, Buffer.alloc(300))
  await assert.rejects(store(), { code: 'RECEIVED_FULL' })
  await mailbox.storeFile({ filename: 'f', length: 200 }, Buffer.alloc(200))
  await transfer.write(content.subarray(750))
  await transfer.finish()
})

test('idle partial files are removed for a new file, if that makes enough space', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const contents = [randomBytes(200), randomBytes(220)]
  for (const content of contents) {
    const transfer = await mailbox.openTransfer(inputFor(content))
    await transfer.write(content.subarray(0, 150))
    await transfer.close('by the test')
  }
  const left = async () =>
    (await partialsIn(mailbox.receivedDir)).filter(name => !name.endsWith('.owner')).sort()
  const both = contents.map(content => hexId(inputFor(content))).sort()
  const store = (length: number) =>
    mailbox.storeFile({ filename: 'f', length, from: BOB }, Buffer.alloc(length))
  await assert.rejects(store(1001), { code: 'RECEIVED_FULL' })
  await store(600)
  // Removing both would not be enough.
  await assert.rejects(store(401), { code: 'RECEIVED_FULL' })
  assert.deepEqual(await left(), both)
  // A file without bytes removes nothing: its declared length may be a lie.
  const content = randomBytes(400)
  const transfer = await mailbox.openTransfer(inputFor(content, BOB))
  assert.equal((await left()).length, 3)
  for (let at = 0; at < content.length; at += 100) await transfer.write(content.subarray(at, at + 100))
  await transfer.finish()
  assert.deepEqual(await left(), [])
})

test('a partial file that is being removed is not resumed', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1_100 })
  const content = randomBytes(600)
  const input = inputFor(content)
  for (const idle of [input, inputFor(randomBytes(600), BOB)]) {
    const left = await mailbox.openTransfer(idle)
    await left.write(content.subarray(0, 500))
    await left.close('gone')
  }
  const signals = new EventEmitter()
  const [removing, released] = [once(signals, 'removing'), once(signals, 'release')]
  replaceFs(t, 'unlink', real => async path => {
    // The partial file is removed, its owner file is not yet.
    if (String(path).endsWith(`${hexId(input)}.owner`)) {
      signals.emit('removing')
      await released
    }
    return real(path)
  })
  const other = mailbox.storeFile({ filename: 'g.bin', from: BOB, length: 300 }, randomBytes(300))
  await removing
  const opening = mailbox.openTransfer(input)
  await delay(20)
  signals.emit('release')
  await other
  const transfer = await opening
  assert.equal(transfer.offset, 0)
  await transfer.write(content)
  const { path } = await transfer.finish()
  assert.ok((await readFile(path)).equals(content))
  assert.equal(statSync(path).nlink, 1)
  assert.deepEqual(await partialsIn(mailbox.receivedDir), [])
})

test('of two files that do not both fit into the quota, one is received', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const contents = [randomBytes(700), randomBytes(700)]
  const transfers = await Promise.all(contents.map(content => mailbox.openTransfer(inputFor(content))))
  const ends = await Promise.allSettled(
    transfers.map(async (transfer, number) => {
      const content = contents[number] ?? Buffer.alloc(0)
      for (let at = 0; at < content.length; at += 50) await transfer.write(content.subarray(at, at + 50))
      await transfer.finish()
    }),
  )
  assert.deepEqual(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('sizes that one sender declares and does not send reserve no more than its share', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const contents = Array.from({ length: 10 }, () => randomBytes(200))
  const transfers = await Promise.all(contents.map(content => mailbox.openTransfer(inputFor(content))))
  await mailbox.storeFile({ filename: 'f', length: 700, from: BOB }, Buffer.alloc(700))

  const ends = await Promise.allSettled(
    transfers.map(async (transfer, number) => {
      const content = contents[number] ?? Buffer.alloc(0)
      for (let at = 0; at < content.length; at += 50) await transfer.write(content.subarray(at, at + 50))
      await transfer.finish()
    }),
  )
  // One file has its whole size reserved; the others must not exceed the limit.
  assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const end of ends) if (end.status === 'rejected') assert.equal(end.reason.code, 'RECEIVED_FULL')
  const partials = (await partialsIn(mailbox.receivedDir)).filter(name => !name.endsWith('.owner'))
  const sizes = await Promise.all(
    partials.map(async name => (await readFile(join(mailbox.receivedDir, '.partial', name))).length),
  )
  assert.ok(900 + sizes.reduce((sum, size) => sum + size, 0) <= 1000, `${sizes}`)
})

test('while a transfer is published, its bytes count at every moment', async t => {
  const folder = new DurableFolder(folderLayout(await tempDir(t)), true)
  await folder.make()
  const quota = new ReceivedQuota(folder, { maxFiles: 100, maxBytes: 1000 })
  const real = new Received(folder, { quota, slots: new StoreSlots() })
  await real.load()
  const answers: unknown[] = []
  const check = async () => {
    const refusal = await quota.check({ files: 1, bytes: 200 }).catch((error: MailboxError) => error.code)
    answers.push(refusal)
  }
  const received: Pick<Received, 'publish'> = {
    publish: (file, finished) => {
      const discard = async () => {
        await check()
        await finished.discard()
        await check()
      }
      return real.publish(file, { ...finished, discard })
    },
  }
  const never = {
    partialTimeoutMs: Number.POSITIVE_INFINITY,
    transferStallTimeoutMs: Number.POSITIVE_INFINITY,
  }
  const options = { quota, received, durable: true, logger: silentLogger, ...never }
  const transfers = new Transfers(folder.layout.dir, options)
  t.after(() => transfers.close())
  const content = randomBytes(900)
  const transfer = await transfers.open(inputFor(content))
  await transfer.write(content)
  await transfer.finish()
  await check()
  assert.deepEqual(answers, ['RECEIVED_FULL', 'RECEIVED_FULL', 'RECEIVED_FULL'])
  await quota.check({ files: 1, bytes: 100 })
})

test('a transfer that ends releases its reservation', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  for (let i = 0; i < 5; i++) {
    const transfer = await mailbox.openTransfer(inputFor(randomBytes(900)))
    await transfer.write(Buffer.alloc(1))
    await transfer.close('by the test', false)
  }
  await mailbox.storeFile({ filename: 'f', length: 1000, from: BOB }, Buffer.alloc(1000))
})

test('a size that the disk has no space for is refused at once', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: -1 })
  const input = { ...inputFor(randomBytes(10)), size: Number.MAX_SAFE_INTEGER }
  await assert.rejects(mailbox.openTransfer(input), (error: Error & { cause?: { code?: string } }) => {
    assert.equal(error.cause?.code, 'ENOSPC')
    return true
  })
  assert.deepEqual(await partialsIn(mailbox.receivedDir), [])
})

test('closing the mailbox closes its transfers', async t => {
  const mailbox = await tempMailbox(t)
  const content = randomBytes(100)
  const transfer = await mailbox.openTransfer(inputFor(content))
  await mailbox.close()
  await assert.rejects(transfer.write(content), CLOSED)
  await assert.rejects(mailbox.openTransfer(inputFor(content)), { code: 'MAILBOX_CLOSED' })
})
