import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Retries } from '#lib/client/transfer/retries.js'
import { LIMITS } from '#lib/limits.js'

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
