import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBucket } from '#lib/async/token-bucket.js'

test('a bucket starts full, fills at its rate, and never exceeds its capacity', t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const bucket = new TokenBucket(10, 5)
  bucket.take(5)
  assert.equal(bucket.wait(0), 0)
  assert.equal(bucket.wait(1), 100)
  now = 100
  assert.equal(bucket.wait(1), 0)
  now = 1e9
  bucket.take(6)
  assert.equal(bucket.wait(0), 100)
})

test('more tokens than the capacity are never there', t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const bucket = new TokenBucket(1, 1)
  assert.equal(bucket.wait(2), 1000)
  now = 1e6
  assert.equal(bucket.wait(2), 1000)
})
