import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { DurableFolder } from '#lib/disk/durable-folder.js'
import { LARGE_MESSAGES } from '#lib/mailbox/inbox/inbox.js'
import { Mailbox, type MessageInput, type StoredMessage } from '#lib/mailbox/mailbox.js'
import { setLimit } from '../../../../../test/helpers/set-limit.ts'
import {
  contentOf,
  goText,
  heldBack,
  inPieces,
  namesIn,
  readMessage,
  tempDir,
  tempMailbox,
  temporariesIn,
} from '../../helpers/temp-mailbox.js'

const TEXT: Omit<MessageInput, 'length'> = { type: 'TEXT', from: '0:0000.0000.0001' }

function storeText(mailbox: Mailbox, text: string): Promise<StoredMessage> {
  const payload = Buffer.from(text)
  return mailbox.storeMessage({ ...TEXT, length: payload.length }, payload)
}

test('[inbox.name] [inbox.type] [inbox.bytes] a message is complete under its name when the store resolves', async t => {
  const mailbox = await tempMailbox(t)
  const before = Date.now()
  const stored = await mailbox.storeMessage(
    { ...TEXT, length: 3, messageId: 'm', replyTo: 'r' },
    Buffer.from('hé'),
  )
  assert.equal(stored.size, 3)
  assert.match(basename(stored.path), /^TEXT-\d{8}-\d{6}\.\d{3}-000001\.json$/)
  const { received_at, ...rest } = await readMessage(stored.path)
  assert.deepEqual(rest, {
    type: 'TEXT',
    from: '0:0000.0000.0001',
    data: 'hé',
    bytes: 3,
    data_encoding: 'utf8',
    message_id: 'm',
    reply_to: 'r',
  })
  const at = Date.parse(String(received_at))
  assert.ok(at >= before - 1 && at <= Date.now() + 1)
  assert.deepEqual(await namesIn(mailbox.inboxDir), [basename(stored.path)])
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
})

test('[inbox.received-at] [inbox.name-local] times are local, in the name and, with its offset, in received_at', async t => {
  const before = process.env.TZ
  t.after(() => {
    if (before === undefined) delete process.env.TZ
    else process.env.TZ = before
  })
  process.env.TZ = 'Asia/Kolkata'
  const mailbox = await tempMailbox(t)
  const { path } = await storeText(mailbox, 'x')
  const receivedAt = String((await readMessage(path)).received_at)
  assert.match(receivedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+05:30$/)
  assert.ok(Math.abs(Date.parse(receivedAt) - Date.now()) < 60_000)
  const digits = receivedAt.replace(/[-:]/g, '').replace('T', '-').slice(0, 'YYYYMMDD-HHMMSS.mmm'.length)
  assert.equal(basename(path), `TEXT-${digits}-000001.json`)
})

test('[disk.hidden-temporaries] temporary files are in the hidden folder only', async t => {
  const mailbox = await tempMailbox(t)
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  async function* slow() {
    yield Buffer.alloc(300_000, 'a')
    await held
    yield Buffer.alloc(300_000, 'b')
  }
  const stores = [
    mailbox.storeMessage({ ...TEXT, length: 600_000 }, slow()),
    mailbox.storeFile({ filename: 'f.txt', length: 600_000 }, slow()),
  ]
  for (const dir of [mailbox.inboxDir, mailbox.receivedDir]) {
    while ((await temporariesIn(dir)).length === 0) await turn()
    assert.deepEqual(await namesIn(dir), [])
  }
  release()
  for (const { path } of await Promise.all(stores)) {
    assert.deepEqual(await namesIn(dirname(path)), [basename(path)])
    assert.deepEqual(await temporariesIn(dirname(path)), [])
  }
})

test('small messages in pieces are collected in memory, up to a quarter of the limit for one sender', async t => {
  const length = 200_000
  setLimit(t, 'gatheredBytes', 8 * length)
  const mailbox = await tempMailbox(t)
  const { slow, release } = heldBack(length, length / 2)
  const stores = ['a', 'a', 'a', 'b', 'b', 'c', 'c', 'd', 'd', 'e'].map(from =>
    mailbox.storeMessage({ ...TEXT, from, length }, slow()),
  )
  // Two exceed a limit: the third of one sender, and the last of all senders.
  while ((await temporariesIn(mailbox.inboxDir)).length < 2) await turn()
  assert.equal((await temporariesIn(mailbox.inboxDir)).length, 2)
  release()
  await Promise.all(stores)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 10)
  // All of the memory has been released.
  await Promise.all(['a', 'a'].map(from => mailbox.storeMessage({ ...TEXT, from, length }, slow())))
})

test('peers that hold all of the memory for messages in pieces do not delay others', async t => {
  const length = 200_000
  setLimit(t, 'gatheredBytes', 4 * length)
  const mailbox = await tempMailbox(t)
  const { slow, release } = heldBack(length, 1)
  const held = ['a', 'b', 'c', 'd'].map(from => mailbox.storeMessage({ ...TEXT, from, length }, slow()))
  const payload = Buffer.alloc(length, 1)
  const honest = () => mailbox.storeMessage({ ...TEXT, from: 'e', length }, inPieces(payload, 65_536))
  await Promise.all([honest(), honest()])
  assert.equal((await namesIn(mailbox.inboxDir)).length, 2)
  release()
  await Promise.all(held)
})

test('a small message that is spooled gives the same file as one in memory', async t => {
  setLimit(t, 'gatheredBytes', 0)
  const mailbox = await tempMailbox(t)
  const utf8 = Buffer.from('é"\n😀\x01'.repeat(10_000))
  const bytes = Buffer.from(Array.from({ length: 256 * 1024 }, (_, i) => (i * 31) % 256))
  for (const [type, payload] of [
    ['TEXT', utf8],
    ['TEXT', bytes],
    ['BINARY', utf8],
    ['BINARY', bytes],
  ] as const) {
    const before = await temporariesIn(mailbox.inboxDir)
    let onDisk: string[] = []
    async function* slow() {
      yield* inPieces(payload, 1021)
      onDisk = await temporariesIn(mailbox.inboxDir)
    }
    const message = { ...TEXT, type, length: payload.length }
    const came = await readMessage((await mailbox.storeMessage(message, slow())).path)
    const whole = await readMessage((await mailbox.storeMessage(message, payload)).path)
    assert.deepEqual({ ...came, received_at: whole.received_at }, whole)
    assert.deepEqual([before.length, onDisk.length], [0, 1])
  }
})

test('folders have mode 0700, with their parents, and files 0600', async t => {
  const root = await tempDir(t)
  const inboxDir = join(root, 'a', 'b', 'inbox')
  const mailbox = await tempMailbox(t, { inboxDir })
  const { path } = await storeText(mailbox, 'x')
  const file = await mailbox.storeFile({ filename: 'x', length: 1 }, Buffer.from('x'))
  const streamed = await mailbox.storeFile({ filename: 'x', length: 1 }, inPieces(Buffer.from('x'), 1))
  const mode = async (at: string) => ((await stat(at)).mode & 0o777).toString(8)
  for (const dir of [
    join(root, 'a'),
    join(root, 'a', 'b'),
    inboxDir,
    join(inboxDir, '.tmp'),
    mailbox.receivedDir,
  ]) {
    assert.equal(await mode(dir), '700', dir)
  }
  for (const at of [path, file.path, streamed.path]) assert.equal(await mode(at), '600')
})

test('[disk.inbox-default] [disk.received-default] without a config the folders are ~/.pilot/inbox and ~/.pilot/received', async () => {
  const mailbox = await Mailbox.open()
  assert.equal(mailbox.inboxDir, join(homedir(), '.pilot', 'inbox'))
  assert.equal(mailbox.receivedDir, join(homedir(), '.pilot', 'received'))
  await mailbox.close()
})

test('[inbox.name-seq] names follow the order of the calls', async t => {
  const mailbox = await tempMailbox(t, { durability: 'os' })
  const stores = Array.from({ length: 60 }, (_, i) => {
    const payload = Buffer.alloc(i % 3 === 0 ? 200_000 : 10, 'x')
    const body = i % 2 === 0 ? payload : inPieces(payload, 50_000)
    return mailbox.storeMessage(
      { ...TEXT, type: i % 5 === 0 ? 'BINARY' : 'TEXT', length: payload.length },
      body,
    )
  })
  const numbers = (await Promise.all(stores)).map(({ path }) => Number(/-(\d+)\.json$/.exec(path)?.[1]))
  assert.deepEqual(
    numbers,
    Array.from({ length: 60 }, (_, i) => i + 1),
  )
})

test('[disk.no-torn] 500 concurrent stores give 500 whole files, and a reader never sees a torn one', async t => {
  const mailbox = await tempMailbox(t)
  let polling = true
  let reads = 0
  const reader = (async () => {
    while (polling) {
      for (const name of await namesIn(mailbox.inboxDir)) {
        const { data, bytes } = await readMessage(join(mailbox.inboxDir, name))
        assert.equal(String(data).length, bytes)
        reads++
        if (!polling) break
      }
      await turn()
    }
  })()
  const texts = Array.from({ length: 500 }, (_, i) => `${i} `.repeat(i * 4))
  const stored = await Promise.all(texts.map(text => storeText(mailbox, text)))
  polling = false
  await reader
  assert.ok(reads > 0)
  assert.equal(new Set(stored.map(({ path }) => path)).size, 500)
  for (const [i, { path }] of stored.entries()) assert.equal((await readMessage(path)).data, texts[i])
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
})

test('[inbox.lossless] [inbox.b64-not-utf8] large texts keep code points across the ends of pieces', async t => {
  const mailbox = await tempMailbox(t)
  const valid = Buffer.from('é"\n😀名'.repeat(120_000))
  assert.ok(valid.length > 1024 * 1024)
  const stored = await mailbox.storeMessage({ ...TEXT, length: valid.length }, inPieces(valid, 65_537))
  const json = await readMessage(stored.path)
  assert.equal(json.data, valid.toString())
  assert.equal(json.data_encoding, 'utf8')
  assert.deepEqual(Object.keys(json), ['type', 'from', 'data', 'bytes', 'received_at', 'data_encoding'])

  const invalid = Buffer.concat([valid, Buffer.from([0xe2, 0x82])])
  const broken = await mailbox.storeMessage({ ...TEXT, length: invalid.length }, inPieces(invalid, 65_537))
  const read = await readMessage(broken.path)
  assert.equal(`${read.data}\uFFFD`, goText(valid.subarray(0, 1024)))
  assert.equal(read.data_truncated, true)
  assert.equal(read.data_encoding, 'base64')
  assert.ok(Buffer.from(String(read.data_b64), 'base64').equals(invalid))
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])

  // The same bytes in memory give the same fields.
  const direct = await mailbox.storeMessage({ ...TEXT, length: invalid.length }, invalid)
  assert.deepEqual({ ...(await readMessage(direct.path)), received_at: read.received_at }, read)
})

test('[inbox.b64-option] with includeBase64 every message has both forms', async t => {
  const mailbox = await tempMailbox(t, { includeBase64: true, durability: 'os' })
  for (const size of [10, 400_000]) {
    const payload = Buffer.alloc(size, 'ab\n')
    const { path } = await mailbox.storeMessage({ ...TEXT, length: size }, inPieces(payload, 9999))
    const json = await readMessage(path)
    assert.equal(json.data, payload.toString())
    assert.equal(json.data_encoding, 'utf8')
    assert.equal(json.data_b64, payload.toString('base64'))
  }
})

for (const size of [1000, 1_000_000]) {
  test(`[disk.no-strays] pieces that throw, or have another length than declared, leave nothing behind (${size} bytes)`, async t => {
    const mailbox = await tempMailbox(t)
    const failure = new RangeError('the peer went away')
    async function* cut() {
      yield Buffer.alloc(size / 2)
      throw failure
    }
    for (const length of [size, size + 1, size - 1]) {
      const wrong = { code: 'STORE_FAILED', message: /declares \d+ bytes/ }
      const expected = length === size ? (error: unknown) => error === failure : wrong
      const body = () => (length === size ? cut() : inPieces(Buffer.alloc(size), 100_000))
      await assert.rejects(mailbox.storeMessage({ ...TEXT, length }, body()), expected)
      await assert.rejects(mailbox.storeFile({ filename: 'f', length }, body()), expected)
      if (length === size) continue
      await assert.rejects(mailbox.storeMessage({ ...TEXT, length }, Buffer.alloc(size)), wrong)
      await assert.rejects(mailbox.storeFile({ filename: 'f', length }, Buffer.alloc(size)), wrong)
    }
    for (const dir of [mailbox.inboxDir, mailbox.receivedDir]) assert.deepEqual(await contentOf(dir), [])
  })
}

test('close waits for running stores and refuses later ones', async t => {
  const mailbox = await tempMailbox(t)
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  async function* slow() {
    yield Buffer.from('a')
    await held
    yield Buffer.from('b')
  }
  const store = mailbox.storeFile({ filename: 'slow', length: 2 }, slow())
  const quick = storeText(mailbox, 'quick')
  let closed = false
  const closing = mailbox.close().then(() => {
    closed = true
  })
  await assert.rejects(storeText(mailbox, 'late'), { code: 'MAILBOX_CLOSED', name: 'MailboxError' })
  await assert.rejects(mailbox.storeFile({ filename: '', length: 0 }, Buffer.alloc(0)), {
    code: 'MAILBOX_CLOSED',
  })
  await quick
  assert.equal(closed, false)
  release()
  await closing
  assert.equal(await readFile((await store).path, 'utf8'), 'ab')
  await mailbox.close()
})

test('durability "os" stores the same files', async t => {
  const mailbox = await tempMailbox(t, { durability: 'os' })
  const { path } = await storeText(mailbox, 'x')
  assert.equal((await readMessage(path)).data, 'x')
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
})

test('few large messages become JSON at once, half of them of one sender', async t => {
  const mailbox = await tempMailbox(t, { durability: 'os' })
  const { write } = DurableFolder.prototype
  const running = { all: 0, most: 0 }
  t.mock.method(
    DurableFolder.prototype,
    'write',
    async function (this: DurableFolder, ...args: Parameters<typeof write>) {
      running.all++
      running.most = Math.max(running.most, running.all)
      try {
        return await write.apply(this, args)
      } finally {
        running.all--
      }
    },
  )
  const size = 300 * 1024
  const store = (from: string) =>
    mailbox.storeMessage({ type: 'TEXT', from, length: size }, inPieces(Buffer.alloc(size, 1), 64 * 1024))
  await Promise.all(Array.from({ length: 8 }, () => store('a')))
  assert.equal(running.most, LARGE_MESSAGES / 2)
  await Promise.all(Array.from({ length: 12 }, (_, i) => store(`${i}`)))
  assert.equal(running.most, LARGE_MESSAGES)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 20)
})

test('messages with long JSON are the same on every path', async t => {
  const mailbox = await tempMailbox(t, { includeBase64: true })
  for (const size of [10_000, 30_000, 60_000, 200_000]) {
    for (const first of ['\x01', '\xff']) {
      const payload = Buffer.alloc(size, 1)
      payload.write(first, 'latin1')
      const message = { type: 'TEXT', from: '0:0000.0000.0001', length: size }
      const { data, data_b64 } = await readMessage((await mailbox.storeMessage(message, payload)).path)
      assert.equal(data, `${payload[0] === 1 ? '\x01' : '\uFFFD'}${'\x01'.repeat(size - 1)}`)
      assert.equal(data_b64, payload.toString('base64'))
    }
  }
})
