import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REFUSAL_RATE, REFUSALS_AT_ONCE, RefusalLimiter } from '#lib/service/peers/refusal-limiter.js'

test('a burst of refusals costs nothing; each further one adds its share of a second, which time pays off', t => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const limiter = new RefusalLimiter()
  for (let i = 0; i < REFUSALS_AT_ONCE; i++) limiter.spend()
  assert.deepEqual([limiter.isOverdrawn, limiter.pause()], [false, 0])
  for (let i = 0; i < REFUSAL_RATE; i++) limiter.spend()
  assert.deepEqual([limiter.isOverdrawn, limiter.pause()], [true, 1_000])
  now = 400
  assert.deepEqual([Math.round(limiter.pause()), limiter.isOverdrawn], [600, true])
  now = 1_000
  assert.deepEqual([limiter.pause(), limiter.isOverdrawn], [0, false])
  // The bucket never holds more than one burst, however long the peer was quiet.
  now = 1e9
  for (let i = 0; i < REFUSALS_AT_ONCE + REFUSAL_RATE; i++) limiter.spend()
  assert.equal(limiter.pause(), 1_000)
})
