import assert from 'node:assert/strict'
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import {
  heldBack,
  inPieces,
  namesIn,
  tempDir,
  tempMailbox,
  temporariesIn,
} from '../../helpers/temp-mailbox.js'

const FULL = { code: 'RECEIVED_FULL', name: 'MailboxError' }

test('[received.name] [received.bytes] a file is stored byte for byte under a name made of the sender’s', async t => {
  const mailbox = await tempMailbox(t)
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 251))
  const direct = await mailbox.storeFile({ filename: 'report.tar.gz', length: bytes.length }, bytes)
  assert.match(direct.name, /^report\.tar-\d{8}-\d{6}\.\d{3}-000001\.gz$/)
  assert.equal(direct.path, join(mailbox.receivedDir, direct.name))
  assert.equal(direct.size, bytes.length)
  assert.ok((await readFile(direct.path)).equals(bytes))

  const streamed = await mailbox.storeFile(
    { filename: 'report.tar.gz', length: bytes.length },
    inPieces(bytes, 1021),
  )
  assert.match(streamed.name, /-000002\.gz$/)
  assert.ok((await readFile(streamed.path)).equals(bytes))

  const empty = await mailbox.storeFile({ filename: '', length: 0 }, Buffer.alloc(0))
  assert.match(empty.name, /^unnamed-.*-000003$/)
  assert.equal((await readFile(empty.path)).length, 0)
  assert.deepEqual(await namesIn(mailbox.receivedDir), [direct.name, streamed.name, empty.name].sort())
  assert.deepEqual(await temporariesIn(mailbox.receivedDir), [])
})

test('a stored name never leaves the folder', async t => {
  const mailbox = await tempMailbox(t)
  for (const filename of ['../up.txt', '/etc/passwd', '..', '.', '.tmp', 'a/../../b', '\0', '..\\..\\c']) {
    const { path, name } = await mailbox.storeFile({ filename, length: 1 }, Buffer.from('x'))
    assert.equal(basename(path), name)
    assert.ok((await namesIn(mailbox.receivedDir)).includes(name))
  }
})

test('a file that would exceed receivedMaxBytes is refused before it is read', async t => {
  const receivedDir = join(await tempDir(t), 'received')
  await mkdir(receivedDir)
  await writeFile(join(receivedDir, 'earlier'), Buffer.alloc(600))
  const mailbox = await tempMailbox(t, { receivedDir, receivedMaxBytes: 1000 })
  let read = false
  async function* unread() {
    read = true
    yield Buffer.alloc(401)
  }
  await assert.rejects(mailbox.storeFile({ filename: 'f', length: 401 }, unread()), FULL)
  await assert.rejects(mailbox.storeFile({ filename: 'f', length: 1001 }, unread()), FULL)
  assert.equal(read, false)
  await mailbox.storeFile({ filename: 'f', length: 400 }, Buffer.alloc(400))
  await assert.rejects(mailbox.storeFile({ filename: 'f', length: 1 }, Buffer.alloc(1)), FULL)
  await mailbox.storeFile({ filename: 'f', length: 0 }, Buffer.alloc(0))
})

test('[received.max-bytes-partial] files being written count by their declared length, however many start at once', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const { slow, release } = heldBack(240, 1)
  const file = (from: string) => ({ filename: 'f', length: 240, from })
  const stores = Array.from({ length: 10 }, (_, i) => mailbox.storeFile(file(`${i}`), slow()))
  const settled = Promise.allSettled(stores)
  await assert.rejects(mailbox.storeFile(file('one more'), slow()), FULL)
  release()
  const results = await settled
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 4)
  assert.equal((await namesIn(mailbox.receivedDir)).length, 4)
})

test('a declared length alone, however large, reserves nothing', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const { slow, release } = heldBack(1000, 100)
  const large = mailbox.storeFile({ filename: 'large', length: 1000, from: 'liar' }, slow())
  large.catch(() => undefined)
  await mailbox.storeFile({ filename: 'f', length: 900, from: 'honest' }, Buffer.alloc(900))
  release()
  await assert.rejects(large, FULL)
  assert.equal((await namesIn(mailbox.receivedDir)).length, 1)
})

test('receivedMaxFiles counts empty files and files that are being written, too', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxFiles: 5 })
  const store = () => mailbox.storeFile({ filename: 'f', length: 0 }, Buffer.alloc(0))
  const stores = await Promise.allSettled(Array.from({ length: 8 }, store))
  assert.equal(stores.filter(({ status }) => status === 'fulfilled').length, 5)
  await assert.rejects(store(), FULL)
  const [first = ''] = await namesIn(mailbox.receivedDir)
  await rm(join(mailbox.receivedDir, first))
  await store()
  await assert.rejects(store(), FULL)
})

test('lengths that one sender declares and does not send reserve no more than its share', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  const { slow, release } = heldBack(200, 1)
  const liar = { filename: 'f', length: 200, from: 'liar' }
  const stores = Array.from({ length: 10 }, () => mailbox.storeFile(liar, slow()))
  const settled = Promise.allSettled(stores)
  const honest = { filename: 'f', length: 700, from: 'honest' }
  await mailbox.storeFile(honest, Buffer.alloc(700))
  release()
  const results = await settled
  // One file has its whole size reserved; the others must not exceed the limit.
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal((await namesIn(mailbox.receivedDir)).length, 2)
  assert.deepEqual(await temporariesIn(mailbox.receivedDir), [])
})

test('a file that fails releases its reservation', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  for (let i = 0; i < 3; i++) {
    await assert.rejects(
      mailbox.storeFile({ filename: 'f', length: 900 }, inPieces(Buffer.alloc(899), 100)),
      {
        code: 'STORE_FAILED',
      },
    )
  }
  await mailbox.storeFile({ filename: 'f', length: 900 }, Buffer.alloc(900))
})

test('files that other programs have removed are noticed before a file is refused', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1000 })
  for (let i = 0; i < 3; i++) {
    const stored = await mailbox.storeFile({ filename: 'f', length: 900 }, Buffer.alloc(900))
    await assert.rejects(mailbox.storeFile({ filename: 'f', length: 900 }, Buffer.alloc(900)), FULL)
    await rm(stored.path)
  }
  await writeFile(join(mailbox.receivedDir, 'of another program'), Buffer.alloc(500))
  await assert.rejects(mailbox.storeFile({ filename: 'f', length: 1001 }, Buffer.alloc(1001)), FULL)
  await assert.rejects(mailbox.storeFile({ filename: 'f', length: 501 }, Buffer.alloc(501)), FULL)
  await mailbox.storeFile({ filename: 'f', length: 500 }, Buffer.alloc(500))
})

test('[received.max-bytes-negative] [received.max-bytes-default] a negative receivedMaxBytes turns the limit off, zero is the default', async t => {
  const receivedDir = join(await tempDir(t), 'received')
  await mkdir(receivedDir)
  // A sparse file: it has this size, and uses no space on the disk.
  await writeFile(join(receivedDir, 'earlier'), '')
  await truncate(join(receivedDir, 'earlier'), 2 * 2 ** 30)
  const file = { filename: 'f', length: 1 }
  const bounded = await tempMailbox(t, { receivedDir, receivedMaxBytes: 0 })
  await assert.rejects(bounded.storeFile(file, Buffer.alloc(1)), FULL)
  const free = await tempMailbox(t, { receivedDir, receivedMaxBytes: -1 })
  await free.storeFile(file, Buffer.alloc(1))
})
