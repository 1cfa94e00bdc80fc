import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pauseMs, Retries } from '#lib/exchange/transfer/retries.js'
import { LIMITS } from '#lib/limits.js'

test('pauses double up to the longest, and vary down to half', () => {
  assert.deepEqual(
    [1, 2, 3, 7, 8, 100].map(failures => pauseMs(failures, 1)),
    [100, 200, 400, 6_400, 10_000, 10_000],
  )
  assert.equal(pauseMs(3, 0), 200)
  assert.equal(pauseMs(0, 1), 100)
})

test('tries without progress are counted, and progress begins the count again', async () => {
  const retries = new Retries()
  for (let i = 1; i < LIMITS.uploadTries.value; i++) assert.equal(retries.fail(), true)
  assert.equal(retries.fail(), false)
  assert.equal(retries.failures, LIMITS.uploadTries.value)
  retries.reset()
  assert.equal(retries.fail(), true)
  await retries.pause(new AbortController().signal)
  await assert.rejects(retries.pause(AbortSignal.abort()))
})
