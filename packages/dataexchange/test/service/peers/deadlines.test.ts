import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DeadlineOptions, Deadlines, FRAME_MIN_RATE } from '#lib/service/peers/deadlines.js'

/** Deadlines on a clock of the test's own, and the reason they gave, once they have. */
function startDeadlines(t: test.TestContext, options: Partial<DeadlineOptions> = {}) {
  let now = 0
  t.mock.timers.enable({ apis: ['setInterval'] })
  t.mock.method(performance, 'now', () => now)
  const expired: string[] = []
  const deadlines = new Deadlines({
    idleTimeoutMs: 100_000,
    frameTimeoutMs: 10_000,
    isBusy: () => false,
    onExpired: why => expired.push(why),
    ...options,
  })
  t.after(() => deadlines.stop())
  const pass = (ms: number) => {
    for (const until = now + ms; now < until; ) {
      now = Math.min(now + 250, until)
      t.mock.timers.tick(250)
    }
  }
  return { deadlines, pass, expired }
}

const SLOW = 'a frame takes too long'
const IDLE = 'idle for too long'

test('the time for a frame starts at its head, whatever length it declares', t => {
  const { deadlines, pass, expired } = startDeadlines(t)
  deadlines.frameStarted()
  pass(9_000)
  assert.deepEqual(expired, [])
  pass(3_000)
  assert.equal(expired[0], SLOW)
})

test('received bytes extend the time for a frame, at the minimum rate', t => {
  const { deadlines, pass, expired } = startDeadlines(t)
  deadlines.frameStarted()
  for (let second = 0; second < 300; second++) {
    deadlines.arrived(FRAME_MIN_RATE)
    pass(1_000)
  }
  assert.deepEqual(expired, [])
  // One byte a second extends it by almost nothing.
  for (let second = 0; second < 12; second++) {
    deadlines.arrived(1)
    pass(1_000)
  }
  assert.equal(expired[0], SLOW)
})

test('between frames a peer whose payloads are being handled is not idle; within a frame it may be', t => {
  const { deadlines, pass, expired } = startDeadlines(t, {
    idleTimeoutMs: 5_000,
    frameTimeoutMs: Number.POSITIVE_INFINITY,
    isBusy: () => true,
  })
  pass(60_000)
  assert.deepEqual(expired, [])
  deadlines.frameStarted()
  pass(7_000)
  assert.equal(expired[0], IDLE)
})

test('the time in which this side does not read does not count, also during the pause', t => {
  const { deadlines, pass, expired } = startDeadlines(t, { idleTimeoutMs: 8_000 })
  deadlines.frameStarted()
  pass(6_000)
  deadlines.pause()
  pass(60_000)
  deadlines.resume()
  pass(1_000)
  assert.deepEqual(expired, [])
  pass(3_000)
  assert.equal(expired[0], IDLE)
})
