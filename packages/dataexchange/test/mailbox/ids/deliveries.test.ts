import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FIXED_LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import type { MailboxConfig } from '#lib/mailbox/config.js'
import { Deliveries } from '#lib/mailbox/ids/deliveries.js'
import type { DeliveryIdentity } from '#lib/mailbox/ids/delivery.js'
import { IdLog } from '#lib/mailbox/ids/id-log.js'
import { IDS_REMEMBERED, Mailbox, type MessageInput } from '#lib/mailbox/mailbox.js'
import { recordingLogger } from '../../../../../test/helpers/service-harness.js'
import { setLimit } from '../../../../../test/helpers/set-limit.js'
import {
  inPieces,
  namesIn,
  readMessage,
  tempDir,
  tempMailbox,
  temporariesIn,
} from '../../helpers/temp-mailbox.js'

const LARGE = Buffer.alloc(600_000, 'large ')

function message(payload: Uint8Array, more: Partial<MessageInput> = {}): MessageInput {
  return { type: 'TEXT', from: 'somebody', length: payload.length, messageId: 'id-1', ...more }
}

async function storeText(mailbox: Mailbox, text: string, more: Partial<MessageInput> = {}) {
  return mailbox.storeMessage(message(Buffer.from(text), more), Buffer.from(text))
}

function storeFile(mailbox: Mailbox, data: Uint8Array, more: { filename?: string; from?: string } = {}) {
  const file = { filename: 'f', length: data.length, from: 'somebody', messageId: 'id-1', ...more }
  return mailbox.storeFile(file, data.length > 262_144 ? inPieces(data, 65_536) : data)
}

/** Two folders for several mailboxes, one after the other. */
async function folders(t: TestContext): Promise<MailboxConfig & { inboxDir: string; receivedDir: string }> {
  const root = await tempDir(t)
  return { inboxDir: join(root, 'inbox'), receivedDir: join(root, 'received') }
}

/** The paths of the log's files. */
function logFiles(inboxDir: string): string[] {
  const dir = join(inboxDir, '.ids')
  return readdirSync(dir).map(name => join(dir, name))
}

/** Removes the `stored` records, as if the process had been killed before it wrote them. */
function forgetStored(inboxDir: string): void {
  for (const path of logFiles(inboxDir)) {
    const lines = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, lines.filter(line => !line.includes('"stored"')).join('\n'))
  }
}

test('[tagged.duplicate] a delivery of any size that comes again is reported as a duplicate and not stored', async t => {
  const mailbox = await tempMailbox(t)
  for (const text of ['', 'small', LARGE.toString()]) {
    const first = await storeText(mailbox, text)
    assert.equal(first.duplicate, false)
    assert.deepEqual(await storeText(mailbox, text), { ...first, duplicate: true })
  }
  const streamed = await mailbox.storeMessage(message(LARGE), inPieces(LARGE, 100_000))
  assert.equal(streamed.duplicate, true)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 3)

  for (const data of [Buffer.from(''), Buffer.from('data'), LARGE]) {
    const first = await storeFile(mailbox, data)
    assert.equal(first.duplicate, false)
    assert.deepEqual(await storeFile(mailbox, data), { ...first, duplicate: true })
  }
  assert.equal((await namesIn(mailbox.receivedDir)).length, 3)
  for (const dir of [mailbox.inboxDir, mailbox.receivedDir]) assert.deepEqual(await temporariesIn(dir), [])
})

test('[tagged.same-delivery] another sender, type, file name, id or byte makes another delivery', async t => {
  const mailbox = await tempMailbox(t)
  await storeText(mailbox, 'text')
  const others: Partial<MessageInput>[] = [
    { from: 'somebody else' },
    { type: 'JSON' },
    { messageId: 'id-2' },
    { replyTo: 'id-1' },
  ]
  for (const other of others) assert.equal((await storeText(mailbox, 'text', other)).duplicate, false)
  assert.equal((await storeText(mailbox, 'texd')).duplicate, false)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 6)

  await storeFile(mailbox, Buffer.from('text'))
  assert.equal((await storeFile(mailbox, Buffer.from('text'), { filename: 'g' })).duplicate, false)
  assert.equal((await storeFile(mailbox, Buffer.from('text'), { from: 'another' })).duplicate, false)
  assert.equal((await storeFile(mailbox, Buffer.concat([LARGE, LARGE.subarray(1)]))).duplicate, false)
  assert.equal(
    (await storeFile(mailbox, Buffer.concat([LARGE, LARGE.subarray(2), LARGE.subarray(0, 1)]))).duplicate,
    false,
  )
})

test('[tagged.no-id] without a message id everything is stored and nothing is recorded', async t => {
  const mailbox = await tempMailbox(t)
  for (let i = 0; i < 2; i++) {
    await storeText(mailbox, 'text', { messageId: undefined, replyTo: 'id-1' } as object)
    await mailbox.storeFile({ filename: 'f', length: 1 }, Buffer.from('x'))
  }
  assert.equal((await namesIn(mailbox.inboxDir)).length, 2)
  assert.equal((await namesIn(mailbox.receivedDir)).length, 2)
  assert.equal(existsSync(join(mailbox.inboxDir, '.ids')), false)
})

test('[tagged.duplicate-waits] many concurrent copies are stored once', async t => {
  const mailbox = await tempMailbox(t)
  const payloads = Array.from({ length: 40 }, (_, i) => (i % 2 ? LARGE : inPieces(LARGE, 50_000 + i)))
  const stored = await Promise.all(payloads.map(payload => mailbox.storeMessage(message(LARGE), payload)))
  assert.equal(stored.filter(({ duplicate }) => !duplicate).length, 1)
  assert.equal(new Set(stored.map(({ path }) => path)).size, 1)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 1)
})

test('a duplicate takes no space: nothing is evicted, and it is not refused', async t => {
  const evicting = await tempMailbox(t, { inboxMaxFiles: 2 })
  await storeText(evicting, 'a')
  await storeText(evicting, 'b', { messageId: 'id-2' })
  for (let i = 0; i < 5; i++) await storeText(evicting, 'a')
  const kept = await Promise.all(
    (await namesIn(evicting.inboxDir)).map(name => readMessage(join(evicting.inboxDir, name))),
  )
  assert.deepEqual(kept.map(({ data }) => data).sort(), ['a', 'b'])

  const refusing = await tempMailbox(t, { inboxMaxFiles: 1, whenFull: 'refuse', receivedMaxBytes: 900_000 })
  await storeText(refusing, 'a')
  assert.equal((await storeText(refusing, 'a')).duplicate, true)
  await assert.rejects(storeText(refusing, 'b'), { code: 'INBOX_FULL' })
  await storeFile(refusing, LARGE)
  assert.equal((await storeFile(refusing, LARGE)).duplicate, true)
  const other = Buffer.from(LARGE)
  other[599_999] = 0
  await assert.rejects(storeFile(refusing, other), { code: 'RECEIVED_FULL' })
  assert.equal((await namesIn(refusing.receivedDir)).length, 1)
})

test('[tagged.failed-forgotten] a refused delivery is stored when there is space', async t => {
  const mailbox = await tempMailbox(t, { inboxMaxFiles: 1, whenFull: 'refuse' })
  const { path } = await storeText(mailbox, 'a')
  await assert.rejects(storeText(mailbox, 'b'), { code: 'INBOX_FULL' })
  unlinkSync(path)
  // Another program has made space. The next mailbox notices at the latest.
  const { inboxDir, receivedDir } = mailbox
  const next = await Mailbox.open({ inboxDir, receivedDir, inboxMaxFiles: 1, whenFull: 'refuse' })
  t.after(() => next.close())
  assert.equal((await storeText(next, 'b')).duplicate, false)
})

test('a payload that breaks off is not remembered, also if the folder is full', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 700_000 })
  async function* broken() {
    yield LARGE.subarray(0, 300_000)
    throw new Error('cut')
  }
  const file = { filename: 'f', length: LARGE.length, from: 'somebody', messageId: 'id-1' }
  await assert.rejects(mailbox.storeFile(file, broken()), { message: 'cut' })
  assert.equal((await storeFile(mailbox, LARGE)).duplicate, false)
  await assert.rejects(mailbox.storeFile(file, broken()), { message: 'cut' })
  assert.equal((await storeFile(mailbox, LARGE)).duplicate, true)
})

test('a received folder that fills up while a file arrives gives RECEIVED_FULL', async t => {
  const mailbox = await tempMailbox(t, { receivedMaxBytes: 1_000_000 })
  let others = ''
  // Larger than its sender may reserve, so another sender can take the space.
  async function* overtaken() {
    yield LARGE.subarray(0, 300_000)
    others = (await storeFile(mailbox, LARGE, { from: 'another' })).path
    yield LARGE.subarray(300_000)
  }
  const file = { filename: 'f', length: LARGE.length, from: 'somebody', messageId: 'id-1' }
  await assert.rejects(mailbox.storeFile(file, overtaken()), { code: 'RECEIVED_FULL' })
  assert.deepEqual(await temporariesIn(mailbox.receivedDir), [])
  unlinkSync(others)
  assert.equal((await storeFile(mailbox, LARGE)).duplicate, false)
})

test('a spool that fills up while a message arrives gives INBOX_FULL', async t => {
  setLimit(t, 'spooledBytes', 1)
  // The spool of one sender is as large.
  const mailbox = await tempMailbox(t, { inboxMaxBytes: 400_000 })
  const text = LARGE.subarray(0, 300_000)
  const other = message(text, { messageId: 'id-2' })
  async function* meanwhile() {
    yield text.subarray(0, 250_000)
    await assert.rejects(mailbox.storeMessage(other, inPieces(text, 50_000)), { code: 'INBOX_FULL' })
    yield text.subarray(250_000)
  }
  assert.equal((await mailbox.storeMessage(message(text), meanwhile())).duplicate, false)
  assert.equal((await mailbox.storeMessage(other, inPieces(text, 50_000))).duplicate, false)
  assert.deepEqual(await temporariesIn(mailbox.inboxDir), [])
})

test('[tagged.restart] deliveries are remembered over several restarts', async t => {
  const config = await folders(t)
  let mailbox = await Mailbox.open(config)
  const first = await storeText(mailbox, 'text')
  await storeFile(mailbox, LARGE)
  for (let i = 0; i < 3; i++) {
    await mailbox.close()
    mailbox = await Mailbox.open(config)
    assert.deepEqual(await storeText(mailbox, 'text'), { ...first, duplicate: true })
    assert.equal((await storeFile(mailbox, LARGE)).duplicate, true)
    assert.equal(logFiles(config.inboxDir).length, 1)
  }
  await mailbox.close()
})

test('[tagged.restart] a message that was read and removed is still remembered', async t => {
  const config = await folders(t)
  const mailbox = await Mailbox.open(config)
  unlinkSync((await storeText(mailbox, 'text')).path)
  await mailbox.close()
  const next = await Mailbox.open(config)
  t.after(() => next.close())
  assert.equal((await storeText(next, 'text')).duplicate, true)
})

test('[tagged.restart] after a kill a delivery counts if the very same file is there', async t => {
  const config = await folders(t)
  const mailbox = await Mailbox.open(config)
  const there = await storeText(mailbox, 'there')
  const gone = await storeText(mailbox, 'gone')
  const other = await storeText(mailbox, 'other')
  const file = await storeFile(mailbox, Buffer.from('file'))
  await mailbox.close()
  forgetStored(config.inboxDir)
  unlinkSync(gone.path)
  writeFileSync(join(config.inboxDir, 'new'), '{}')
  renameSync(join(config.inboxDir, 'new'), other.path)

  const next = await Mailbox.open(config)
  t.after(() => next.close())
  assert.deepEqual(await storeText(next, 'there'), { ...there, duplicate: true })
  assert.equal((await storeText(next, 'gone')).duplicate, false)
  assert.equal((await storeText(next, 'other')).duplicate, false)
  assert.deepEqual(await storeFile(next, Buffer.from('file')), { ...file, duplicate: true })
})

test('[tagged.restart] a damaged log loses its damaged records only, and is logged', async t => {
  const config = await folders(t)
  const mailbox = await Mailbox.open(config)
  for (const text of ['a', 'b', 'c']) await storeText(mailbox, text)
  await mailbox.close()
  const [path = ''] = logFiles(config.inboxDir)
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line.includes('"stored"'))
  lines[1] = lines[1]?.replace('stored', 'stoned') ?? ''
  writeFileSync(path, `${lines.join('\n')}\n${lines[0]?.slice(0, 40)}`)
  writeFileSync(join(config.inboxDir, '.ids', '1-0123456789abcdef-1.ids'), Buffer.from([0, 255, 10, 10]))

  const { logger, log } = recordingLogger()
  const next = await Mailbox.open(config, logger)
  t.after(() => next.close())
  const again = await Promise.all(['a', 'b', 'c'].map(text => storeText(next, text)))
  assert.deepEqual(
    again.map(({ duplicate }) => duplicate),
    [true, false, true],
  )
  assert.deepEqual(log.map(({ message, fields }) => [message, fields.damaged]).sort(), [
    ['records of message ids are damaged', 1],
    ['records of message ids are damaged', 2],
  ])
})

test('if the log cannot be used, frames with an id are refused and others stored', async t => {
  const config = await folders(t)
  const mailbox = await Mailbox.open(config)
  await mailbox.close()
  writeFileSync(join(config.inboxDir, '.ids'), 'no folder')
  const { logger, log } = recordingLogger()
  const next = await Mailbox.open(config, logger)
  t.after(() => next.close())
  assert.deepEqual(
    log.map(({ message }) => message),
    ['message ids cannot be read'],
  )
  await assert.rejects(storeText(next, 'with'), { code: 'STORE_FAILED' })
  await assert.rejects(storeFile(next, LARGE), { code: 'STORE_FAILED' })
  await storeText(next, 'without', { messageId: undefined } as object)
  assert.deepEqual((await namesIn(config.receivedDir)).length, 0)
  assert.deepEqual((await namesIn(config.inboxDir)).length, 1)
  assert.deepEqual(await temporariesIn(config.inboxDir), [])
  unlinkSync(join(config.inboxDir, '.ids'))
  assert.equal((await storeText(next, 'with')).duplicate, false)
})

test('a log that was removed is created again', async t => {
  const config = await folders(t)
  const mailbox = await Mailbox.open(config)
  await storeText(mailbox, 'before')
  await rm(config.inboxDir, { recursive: true })
  await storeText(mailbox, 'after')
  assert.equal((await storeText(mailbox, 'before')).duplicate, true)
  await mailbox.close()
  const next = await Mailbox.open(config)
  t.after(() => next.close())
  assert.equal((await storeText(next, 'after')).duplicate, true)
  assert.equal((await storeText(next, 'before')).duplicate, false)
})

test('two concurrent mailboxes keep each other’s records', async t => {
  const config = await folders(t)
  const one = await Mailbox.open(config)
  await storeText(one, 'one')
  const two = await Mailbox.open(config)
  assert.equal((await storeText(two, 'one')).duplicate, true)
  await storeText(two, 'two')
  await two.close()
  await storeText(one, 'three')
  await one.close()
  const next = await Mailbox.open(config)
  t.after(() => next.close())
  for (const text of ['one', 'two', 'three'])
    assert.equal((await storeText(next, text)).duplicate, true, text)
})

/** Deliveries with a log of their own. */
async function tempDeliveries(t: TestContext, { lifetime = 600_000, max = 100, dir = '' } = {}) {
  const log = new IdLog(dir === '' ? join(await tempDir(t), '.ids') : dir, false)
  t.after(() => log.close())
  return { deliveries: new Deliveries(log, { lifetime, max, logger: silentLogger }), log }
}

const IDENTITY: DeliveryIdentity = { folder: 'inbox', type: 'TEXT', from: 'a', messageId: 'id', length: 1 }

/** Stores a delivery, without a folder. */
async function once(
  deliveries: Deliveries,
  payload: string,
  during: () => Promise<void> = async () => {},
  from = IDENTITY.from,
) {
  return deliveries.once(
    { ...IDENTITY, length: payload.length, from },
    Buffer.from(payload),
    async (_, delivery) => {
      if (!(await delivery.shouldStore())) return undefined
      await delivery.intent(`file of ${payload}`, 1)
      await during()
      await delivery.committed()
      return `file of ${payload}`
    },
  )
}

test('[tagged.duplicate-waits] a copy waits while the first is stored, and is stored if that fails', async t => {
  const { deliveries } = await tempDeliveries(t)
  const seen: string[] = []
  let fail = (_: Error) => {}
  let begun = () => {}
  const hasBegun = new Promise<void>(resolve => {
    begun = resolve
  })
  const first = once(deliveries, 'x', () => {
    begun()
    return new Promise((_, reject) => {
      fail = reject
    })
  })
  const second = once(deliveries, 'x', async () => void seen.push('second'))
  const third = once(deliveries, 'x', async () => void seen.push('third'))
  await hasBegun
  await delay(5)
  assert.deepEqual(seen, [])
  fail(new Error('planted'))
  await assert.rejects(first, { message: 'planted' })
  const outcomes = await Promise.all([second, third])
  assert.deepEqual(outcomes.map(({ duplicate }) => duplicate).sort(), [false, true])
  assert.equal(seen.length, 1)
})

test('[tagged.lifetime] a delivery expires, also over a restart', async t => {
  assert.equal(FIXED_LIMITS.idLifetime.value, 10 * 60_000)
  const dir = join(await tempDir(t), '.ids')
  const folder = { has: async () => true, sync: async () => {} }
  const { deliveries, log } = await tempDeliveries(t, { lifetime: 300, dir })
  assert.equal((await once(deliveries, 'x')).duplicate, false)
  const over = performance.now() + 300
  await log.close()
  const { deliveries: next } = await tempDeliveries(t, { dir })
  await next.load({ inbox: folder, received: folder })
  const { duplicate } = await once(next, 'x')
  assert.ok(duplicate || performance.now() > over)
  while (performance.now() < over + 5) await delay(10)
  assert.equal((await once(next, 'x')).duplicate, false)
})

test('[tagged.bound] past the limit the oldest deliveries are forgotten, and the log stays small', async t => {
  assert.equal(IDS_REMEMBERED, 8192)
  const dir = join(await tempDir(t), '.ids')
  const { deliveries } = await tempDeliveries(t, { max: 3000, dir })
  for (let at = 0; at < 12_000; at += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => once(deliveries, `${at + i}`)))
  }
  assert.ok(readdirSync(dir).length <= 4, `${readdirSync(dir).length} files`)
  assert.equal((await once(deliveries, '9000')).duplicate, true)
  assert.equal((await once(deliveries, '8999')).duplicate, false)
})

test('[tagged.bound] a sender past the limit displaces only its own ids, also over a restart', async t => {
  const dir = join(await tempDir(t), '.ids')
  const folder = { has: async () => true, sync: async () => {} }
  const { deliveries, log } = await tempDeliveries(t, { max: 100, dir })
  const send = (to: Deliveries, from: string, number: number) =>
    once(to, `${from} ${number}`, async () => {}, from)
  for (let i = 0; i < 30; i++) await send(deliveries, 'alice', i)
  for (let i = 0; i < 300; i++) await send(deliveries, 'eve', i)
  await log.close()

  const { deliveries: next } = await tempDeliveries(t, { max: 80, dir })
  await next.load({ inbox: folder, received: folder })
  for (let i = 0; i < 30; i++) assert.equal((await send(next, 'alice', i)).duplicate, true, `alice ${i}`)
  for (let i = 250; i < 300; i++) assert.equal((await send(next, 'eve', i)).duplicate, true, `eve ${i}`)
  assert.equal((await send(next, 'eve', 249)).duplicate, false)
})

test('[tagged.restart] records of an older version, without a sender, count', async t => {
  const config = await folders(t)
  const first = await Mailbox.open(config)
  await storeText(first, 'x')
  await first.close()
  for (const path of logFiles(config.inboxDir)) {
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    const older = lines.map(line => {
      const json = JSON.stringify(JSON.parse(line.slice(17)).slice(0, 6))
      return `${createHash('sha256').update(json).digest('hex').slice(0, 16)} ${json}\n`
    })
    writeFileSync(path, older.join(''))
  }
  const next = await Mailbox.open(config)
  t.after(() => next.close())
  assert.equal((await storeText(next, 'x')).duplicate, true)
})
