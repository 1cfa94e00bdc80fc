import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteShare } from '#lib/mailbox/inbox/byte-share.js'

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
