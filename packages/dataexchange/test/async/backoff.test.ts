import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs } from '#lib/async/backoff.js'

const BOUNDS = { min: 100, max: 10_000 }

test('waits double up to the longest, however many tries have failed', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 7, 8, 100, 5_000].map(failures => backoffMs(failures, BOUNDS, () => 0)),
    [100, 100, 200, 400, 6_400, 10_000, 10_000, 10_000],
  )
})

test('chance takes up to half of a wait', () => {
  assert.equal(
    backoffMs(3, BOUNDS, () => 1),
    200,
  )
  for (let i = 0; i < 100; i++) {
    const ms = backoffMs(3, BOUNDS)
    assert.ok(ms > 200 && ms <= 400, `${ms}`)
  }
})
