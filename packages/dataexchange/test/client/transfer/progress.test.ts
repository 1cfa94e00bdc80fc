import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateMeter } from '#lib/client/transfer/progress.js'

test('the rate is that of the last seconds', () => {
  let now = 0
  const rate = new RateMeter(() => now)
  const after = (ms: number, bytes: number) => {
    now += ms
    return Math.round(rate.at(bytes))
  }
  assert.equal(after(0, 500), 0)
  assert.equal(after(10, 1_500), 100_000)
  assert.equal(after(990, 1_500), 1_000)
  // Earlier samples than three seconds do not count.
  for (let i = 1; i <= 60; i++) after(100, 1_500 + i * 10)
  assert.equal(after(100, 1_500 + 610), 100)
  // Another connection began further back.
  assert.equal(after(100, 0), 0)
  assert.equal(after(500, 50), 100)
})
