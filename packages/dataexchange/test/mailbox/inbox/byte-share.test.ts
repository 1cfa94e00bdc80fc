import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DurableFolder } from '#lib/disk/durable-folder.js'
import { LIMITS } from '#lib/limits.js'
import { ByteShare } from '#lib/mailbox/inbox/byte-share.js'
import { inPieces, namesIn, tempMailbox } from '../temp-mailbox.js'

test('one sender gets its fraction, and all senders together get no more than the budget', () => {
  const share = new ByteShare(1000, 2)
  assert.equal(share.acquire('a', 500), true)
  assert.equal(share.acquire('a', 1), false)
  assert.equal(share.acquire('b', 490), true)
  assert.equal(share.acquire('c', 11), false)
  assert.equal(share.acquire('c', 10), true)
  share.release('a', 500)
  assert.equal(share.acquire('c', 490), true)
  assert.equal(share.acquire('c', 1), false)
  assert.equal(share.acquire('a', 10), true)
  assert.equal(share.acquire('a', 1), false)
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
