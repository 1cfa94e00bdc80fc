import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watchdog } from '#lib/client/transfer/watchdog.js'

test('a watchdog bites when it has not been fed, later where it was fed more, and not when it is stopped', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let bites = 0
  const dog = new Watchdog(100, () => bites++)
  t.mock.timers.tick(1_000)
  dog.feed()
  t.mock.timers.tick(99)
  dog.feed(50)
  t.mock.timers.tick(149)
  assert.equal(bites, 0)
  t.mock.timers.tick(1)
  assert.equal(bites, 1)
  dog.feed()
  dog.stop()
  t.mock.timers.tick(1_000)
  assert.equal(bites, 1)
})
