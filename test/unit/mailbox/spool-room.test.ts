import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS } from '#lib/limits.js'
import { DurableFolder } from '#lib/mailbox/durable-write.js'
import { SpoolRoom } from '#lib/mailbox/spool-room.js'
import { inPieces, namesIn, tempMailbox } from './temp-mailbox.js'

const MOST = LIMITS.spooledBytes.value
const FULL = { code: 'INBOX_FULL' }

test('one sender has half of the room, and all together have no more than all of it', () => {
  const room = new SpoolRoom(1000)
  room.take('a', MOST / 2)
  assert.throws(() => room.take('a', 1), FULL)
  room.take('b', MOST / 2 - 10)
  assert.throws(() => room.take('c', 11), FULL)
  room.take('c', 10)
  room.giveBack('a', MOST / 2)
  room.take('c', MOST / 2 - 10)
  assert.throws(() => room.take('c', 1), FULL)
  room.take('a', 10)
  assert.throws(() => room.take('a', 1), FULL)
})

test('the largest message that the inbox may hold has room, of each of two senders', () => {
  const room = new SpoolRoom(3 * MOST)
  room.take('a', 3 * MOST)
  room.take('b', 3 * MOST)
  assert.throws(() => room.take('c', 1), FULL)
})

test('large messages become JSON few at once, and of one sender half of them', async t => {
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
  assert.equal(running.most, LIMITS.largeMessages.value / 2)
  await Promise.all(Array.from({ length: 12 }, (_, i) => store(`${i}`)))
  assert.equal(running.most, LIMITS.largeMessages.value)
  assert.equal((await namesIn(mailbox.inboxDir)).length, 20)
})
