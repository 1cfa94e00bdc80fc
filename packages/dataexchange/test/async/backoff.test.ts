import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs } from '#lib/async/backoff.js'

const BOUNDS = { min: 100, max: 10_000 }

test('waits double with each failure up to the longest one', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 7, 8, 100, 5_000].map(failures => backoffMs(failures, BOUNDS, () => 0)),
    [100, 100, 200, 400, 6_400, 10_000, 10_000, 10_000],
  )
})

test('no wait is longer than a timer can be, even if the longest wait is unlimited', () => {
  const unlimited = { min: 100, max: Number.POSITIVE_INFINITY }
  assert.equal(
    backoffMs(100, unlimited, () => 0),
    2 ** 31 - 1,
  )
})

test('a random part of up to half of the wait is subtracted', () => {
  assert.equal(
    backoffMs(3, BOUNDS, () => 1),
    200,
  )
  for (let i = 0; i < 100; i++) {
    const ms = backoffMs(3, BOUNDS)
    assert.ok(ms > 200 && ms <= 400, `${ms}`)
  }
})
