import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteBudget } from '#lib/exchange/byte-budget.js'
import { Deadlines } from '#lib/exchange/deadlines.js'
import type { IncomingFrame } from '#lib/exchange/handlers/handler.js'
import { Intake } from '#lib/exchange/intake.js'

const never = Number.POSITIVE_INFINITY

function intake(budget: ByteBudget) {
  const frames: IncomingFrame[] = []
  const deadlines = new Deadlines({
    idleTimeout: never,
    frameTimeout: never,
    isBusy: () => false,
    onExpired: () => {},
  })
  const sink = new Intake({
    // Takes all of it, as a store does.
    handle: async frame => {
      frames.push(frame)
      if (frame.payload instanceof Uint8Array) taken.push(Buffer.from(frame.payload))
      else for await (const piece of frame.payload) taken.push(Buffer.from(piece))
    },
    onProgress: () => {},
    budget,
    deadlines,
  })
  const taken: Buffer[] = []
  return { sink, frames, text: () => Buffer.concat(taken).toString() }
}

test('a small frame is handled whole, a large one while it arrives', async () => {
  const budget = new ByteBudget(10_000_000)
  const small = intake(budget)
  small.sink.start({ type: 1, length: 5 })
  small.sink.data(Buffer.from('hel'))
  assert.equal(small.frames.length, 0)
  small.sink.data(Buffer.from('lo'))
  small.sink.end()
  const large = intake(budget)
  large.sink.start({ type: 1, length: 300_000 })
  large.sink.data(Buffer.alloc(4_000, 'x'))
  // A length alone has nothing done, and no file made.
  assert.equal(large.frames.length, 0)
  large.sink.data(Buffer.alloc(100, 'x'))
  assert.equal(large.frames.length, 1)
  large.sink.data(Buffer.alloc(295_900, 'x'))
  large.sink.end()
  await Promise.all([small.sink.close(), large.sink.close()])
  assert.equal(small.text(), 'hello')
  assert.equal(large.text().length, 300_000)
  assert.equal(budget.used, 0)
})

test('frames that are never completed do not use up the budget: from half of it on they go to the disk, also those begun before', async () => {
  const budget = new ByteBudget(1_000_000)
  const begun = Array.from({ length: 20 }, () => intake(budget))
  for (const { sink } of begun) sink.start({ type: 1, length: 200_000 })
  for (let round = 0; round < 10; round++) {
    for (const { sink } of begun) sink.data(Buffer.alloc(19_000, 'x'))
    await new Promise(setImmediate)
  }
  assert.ok(budget.hasRoom, `${budget.used} bytes are held`)
  assert.ok(budget.used <= 600_000, `${budget.used} bytes are held`)
  for (const { sink } of begun) {
    sink.data(Buffer.alloc(10_000, 'y'))
    sink.end()
  }
  await Promise.all(begun.map(({ sink }) => sink.close()))
  for (const { text } of begun) assert.equal(text(), 'x'.repeat(190_000) + 'y'.repeat(10_000))
  assert.equal(budget.used, 0)
})

test('what is given up is held no longer', async () => {
  const budget = new ByteBudget(1000)
  const { sink } = intake(budget)
  sink.start({ type: 1, length: 100 })
  sink.data(Buffer.alloc(50))
  assert.equal(budget.used, 50)
  await sink.close()
  assert.equal(budget.used, 0)
})
