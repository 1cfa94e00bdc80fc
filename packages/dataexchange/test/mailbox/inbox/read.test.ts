import assert from 'node:assert/strict'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  clearMessages,
  countMessages,
  listMessages,
  type MessageFilter,
  messagePayload,
  readMessage,
} from '#lib/mailbox/inbox/read.js'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const FROM = '0:0000.0000.0001'

test('stored messages are read back, byte for byte', async t => {
  const dir = tempDir(t)
  const inboxDir = join(dir, 'inbox')
  const mailbox = await Mailbox.open({ inboxDir, receivedDir: join(dir, 'received'), durability: 'os' })
  const payloads = [
    Buffer.from('grüße\0'),
    Buffer.from([0xff, 0xfe]),
    Buffer.alloc(300_000, 0xe2),
    Buffer.alloc(0),
  ]
  for (const payload of payloads) {
    await mailbox.storeMessage({ type: 'TEXT', from: FROM, length: payload.length, messageId: 'm' }, payload)
  }
  await mailbox.close()
  const { messages, total } = await listMessages(inboxDir)
  assert.equal(total, payloads.length)
  for (const [i, message] of messages.entries()) {
    assert.ok(!('damaged' in message))
    assert.deepEqual(Buffer.from(messagePayload(message)), payloads[payloads.length - 1 - i])
    assert.deepEqual([message.from, message.messageId, message.replyTo], [FROM, 'm', undefined])
  }
  assert.equal((await countMessages(inboxDir)).files, payloads.length)
  assert.deepEqual(await clearMessages(inboxDir), { cleared: payloads.length, remaining: 0 })
})

test('a message without its payload is an error', async t => {
  const dir = tempDir(t)
  const record = { type: 'BINARY', from: FROM, received_at: '', data: '�', data_encoding: 'base64', bytes: 1 }
  writeFileSync(join(dir, 'BINARY-1.json'), JSON.stringify(record))
  const message = await readMessage(dir, 'BINARY-1')
  assert.ok(message !== undefined && !('damaged' in message))
  assert.throws(() => messagePayload(message), { code: 'SOURCE_UNREADABLE' })
})

test('links and folders are neither listed nor removed', async t => {
  const dir = tempDir(t)
  const outside = join(tempDir(t), 'target.json')
  writeFileSync(outside, '{}')
  symlinkSync(outside, join(dir, 'TEXT-1.json'))
  mkdirSync(join(dir, 'TEXT-2.json'))
  assert.deepEqual(await listMessages(dir), { messages: [], total: 0 })
  assert.deepEqual(await clearMessages(dir), { cleared: 0, remaining: 0 })
  assert.ok(existsSync(outside) && existsSync(join(dir, 'TEXT-1.json')))
})

test('a path that is not a folder is an error, not an empty folder', async t => {
  const file = join(tempDir(t), 'file')
  writeFileSync(file, '')
  for (const use of [listMessages, clearMessages, countMessages]) {
    await assert.rejects(use(file), { code: 'ENOTDIR' })
  }
})

test('finds messages by their sender and by their text, also in large ones', async t => {
  const dir = tempDir(t)
  const inboxDir = join(dir, 'inbox')
  const mailbox = await Mailbox.open({ inboxDir, receivedDir: join(dir, 'received'), durability: 'os' })
  const large = Buffer.concat([Buffer.alloc(300_000, 'x'), Buffer.from(' Grüße')])
  for (const [from, payload] of [
    ['a', Buffer.from('grüße')],
    ['b', Buffer.from('hello')],
    ['b', large],
  ] as const) {
    await mailbox.storeMessage({ type: 'TEXT', from, length: payload.length }, payload)
  }
  await mailbox.close()
  writeFileSync(join(inboxDir, 'TEXT-1.json'), '{')
  const find = async (filter: MessageFilter) => {
    const { messages, total } = await listMessages(inboxDir, filter)
    return [total, ...messages.map(message => ('damaged' in message ? message.id : message.size))]
  }
  assert.deepEqual(await find({}), [4, large.length, 5, 7, 'TEXT-1'])
  assert.deepEqual(await find({ text: 'GRÜSSE' }), [0])
  assert.deepEqual(await find({ text: 'GRÜßE' }), [2, large.length, 7])
  assert.deepEqual(await find({ text: 'grüße', limit: 1 }), [2, large.length])
  assert.deepEqual(await find({ text: 'grüße', from: 'a' }), [1, 7])
  assert.deepEqual(await find({ from: 'b' }), [2, large.length, 5])
})
