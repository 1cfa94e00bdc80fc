import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { DurableFolder } from '#lib/disk/durable-folder.js'
import { LIMITS } from '#lib/limits.js'
import { ByteShare } from '#lib/mailbox/inbox/byte-share.js'
import { inPieces, namesIn, tempMailbox } from '../temp-mailbox.js'

test('one sender has its part of the share, and all together have no more than all of it', () => {
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

test('whoever waits gets room once there is some, unless it takes too long', async () => {
  const share = new ByteShare(1000, 2)
  assert.equal(await share.acquireWithin(60_000, 'a', 500), true)
  const waits = [
    share.acquireWithin(60_000, 'a', 300),
    share.acquireWithin(60_000, 'a', 200),
    share.acquireWithin(20, 'a', 1),
  ]
  assert.equal(await waits[2], false)
  assert.equal(await share.acquireWithin(60_000, 'a', 501), false)
  assert.equal(await share.acquireWithin(60_000, 'b', 400), true)
  share.release('a', 500)
  assert.deepEqual(await Promise.all(waits.slice(0, 2)), [true, true])
  assert.equal(share.acquire('c', 101), false)
  assert.equal(share.acquire('c', 100), true)
})

test('nobody waits for what others have: only for what is its own, and for as long as it has that', async () => {
  const share = new ByteShare(1000, 2)
  assert.equal(share.acquire('a', 500), true)
  assert.equal(share.acquire('b', 490), true)
  const atOnce = (taking?: Promise<boolean>) => Promise.race([taking, turn('it waits')])
  assert.equal(await atOnce(share.acquireWithin(60_000, 'c', 11)), false)
  assert.equal(share.acquire('c', 10), true)
  const waits = [share.acquireWithin(60_000, 'c', 11), share.acquireWithin(60_000, 'a', 11)]
  assert.equal(await atOnce(waits[0]), 'it waits')
  share.release('c', 10)
  assert.equal(await atOnce(waits[0]), false)
  share.release('a', 500)
  assert.equal(await atOnce(waits[1]), true)
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
