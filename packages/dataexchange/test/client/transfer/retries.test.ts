import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Retries } from '#lib/client/transfer/retries.js'
import { FIXED_LIMITS } from '#lib/limits.js'

test('tries without progress are counted, and progress begins the count again', async () => {
  const retries = new Retries()
  for (let i = 1; i < FIXED_LIMITS.uploadTries.value; i++) assert.equal(retries.fail(), true)
  assert.equal(retries.fail(), false)
  assert.equal(retries.failures, FIXED_LIMITS.uploadTries.value)
  retries.reset()
  assert.equal(retries.fail(), true)
  await retries.pause(new AbortController().signal)
  await assert.rejects(retries.pause(AbortSignal.abort()))
})
