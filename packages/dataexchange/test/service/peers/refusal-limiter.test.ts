import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REFUSAL_RATE, REFUSALS_AT_ONCE, RefusalLimiter } from '#lib/service/peers/refusal-limiter.js'

const AT_ONCE = REFUSALS_AT_ONCE
const RATE = REFUSAL_RATE

test('so many refusals cost nothing; each one more costs its part of a second, and time makes good', t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const patience = new RefusalLimiter()
  for (let i = 0; i < AT_ONCE; i++) patience.spend()
  assert.equal(patience.pause, 0)
  for (let i = 0; i < RATE; i++) patience.spend()
  assert.equal(patience.pause, 1_000)
  now = 400
  assert.equal(Math.round(patience.pause), 600)
  now = 1_000
  assert.equal(patience.pause, 0)
  // Never more than at the start, however long it has been quiet.
  now = 1e9
  for (let i = 0; i < AT_ONCE + RATE; i++) patience.spend()
  assert.equal(patience.pause, 1_000)
})
