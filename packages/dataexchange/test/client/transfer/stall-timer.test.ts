import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StallTimer } from '#lib/client/transfer/stall-timer.js'

test('a stall timer fires unless it is reset or stopped; a reset may give extra time', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let bites = 0
  const dog = new StallTimer(100, () => bites++)
  t.mock.timers.tick(1_000)
  dog.reset()
  t.mock.timers.tick(99)
  dog.reset(50)
  t.mock.timers.tick(149)
  assert.equal(bites, 0)
  t.mock.timers.tick(1)
  assert.equal(bites, 1)
  dog.reset()
  dog.stop()
  t.mock.timers.tick(1_000)
  assert.equal(bites, 1)
})
