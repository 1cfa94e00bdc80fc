import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { RateLimiter } from '#lib/service/peers/rate-limiter.js'

function clock(t: TestContext): { now: number } {
  const time = { now: 1000 }
  t.mock.method(performance, 'now', () => time.now)
  return time
}

test('a burst of one second is allowed, further frames as time passes', t => {
  const time = clock(t)
  const rates = new RateLimiter({ framesPerSecond: 2 })
  assert.deepEqual([rates.take(0), rates.take(0), rates.take(0)], [true, true, false])
  time.now += 500
  assert.deepEqual([rates.take(0), rates.take(0)], [true, false])
  time.now += 60_000
  assert.deepEqual([rates.take(0), rates.take(0), rates.take(0)], [true, true, false])
})

test('a frame larger than the rate passes, and its excess delays the next ones', t => {
  const time = clock(t)
  const rates = new RateLimiter({ bytesPerSecond: 100 })
  assert.equal(rates.take(350), true)
  time.now += 2400
  assert.equal(rates.take(1), false)
  time.now += 200
  assert.equal(rates.take(1), true)
})

test('a frame that one rate refuses is not counted by the other', t => {
  const time = clock(t)
  const rates = new RateLimiter({ framesPerSecond: 10, bytesPerSecond: 100 })
  assert.equal(rates.take(100), true)
  for (let i = 0; i < 20; i++) assert.equal(rates.take(1), false)
  time.now += 10
  assert.equal(rates.take(1), true)
})

for (const rate of [undefined, Number.POSITIVE_INFINITY]) {
  test(`rates of ${rate} mean no limit`, () => {
    const rates = new RateLimiter({ framesPerSecond: rate, bytesPerSecond: rate })
    for (let i = 0; i < 1000; i++) assert.equal(rates.take(1_000_000), true)
    assert.equal(rates.wait, 0)
  })
}

test('with a rate below one frame a second, one frame passes, and the next when it is due', t => {
  const time = clock(t)
  const rates = new RateLimiter({ framesPerSecond: 0.5 })
  assert.deepEqual([rates.take(0), rates.take(0)], [true, false])
  time.now += 1900
  assert.equal(rates.take(0), false)
  time.now += 200
  assert.equal(rates.take(0), true)
})

test('wait is the time until both rates allow a frame', t => {
  const time = clock(t)
  const rates = new RateLimiter({ framesPerSecond: 10, bytesPerSecond: 100 })
  assert.equal(rates.wait, 0)
  rates.take(200)
  assert.equal(Math.round(rates.wait), 1000)
  time.now += 1001
  assert.deepEqual([rates.wait, rates.take(0)], [0, true])
  while (rates.take(0));
  assert.ok(rates.wait > 0 && rates.wait <= 100)
  assert.equal(new RateLimiter({}).wait, 0)
})
