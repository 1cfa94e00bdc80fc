import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger } from '#lib/logger.js'
import { EventBus } from '#lib/plugin/events.js'
import { FrameAssembler } from '#lib/service/frame-assembler.js'
import type { HandlerContext, IncomingFrame } from '#lib/service/handlers/handler.js'
import { handleFrame } from '#lib/service/handlers/index.js'
import { Admission } from '#lib/service/peers/admission.js'
import { ByteBudget } from '#lib/service/peers/byte-budget.js'
import { Deadlines } from '#lib/service/peers/deadlines.js'
import { RateLimiter } from '#lib/service/peers/rate-limiter.js'
import { FrameType } from '#lib/wire/frame.js'
import { encodeTaggedHeader } from '#lib/wire/tagged.js'
import { traceToFrame } from '#lib/wire/trace.js'
import { setLimit } from '../../../../test/helpers/set-limit.ts'
import { SERVER_ADDRESS } from '../../../../test/helpers/socket-streams.ts'
import { namesIn, readMessage, tempMailbox, temporariesIn } from '../helpers/temp-mailbox.js'

const never = Number.POSITIVE_INFINITY

function intake(budget: ByteBudget, context?: HandlerContext) {
  const frames: IncomingFrame[] = []
  const deadlines = new Deadlines({
    idleTimeoutMs: never,
    frameTimeoutMs: never,
    isBusy: () => false,
    onExpired: () => {},
  })
  const sink = new FrameAssembler({
    // Reads the whole payload, as a store does.
    handle: async frame => {
      frames.push(frame)
      if (context !== undefined) {
        await handleFrame(frame, context)
        return
      }
      if (frame.payload instanceof Uint8Array) taken.push(Buffer.from(frame.payload))
      else for await (const piece of frame.payload) taken.push(Buffer.from(piece))
    },
    onFull: isFull => full.push(isFull),
    budget,
    deadlines,
  })
  const taken: Buffer[] = []
  const full: boolean[] = []
  return { sink, frames, full, text: () => Buffer.concat(taken).toString() }
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
  // A declared length alone starts nothing and creates no file.
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

test('incomplete frames do not use up the budget: from half of it on they go to the disk, also those that began before', async () => {
  const budget = new ByteBudget(1_000_000)
  const begun = Array.from({ length: 20 }, () => intake(budget))
  for (const { sink } of begun) sink.start({ type: 1, length: 200_000 })
  for (let round = 0; round < 10; round++) {
    for (const { sink } of begun) sink.data(Buffer.alloc(19_000, 'x'))
    await new Promise(setImmediate)
  }
  assert.ok(budget.isAvailable, `${budget.used} bytes are held`)
  assert.ok(budget.used <= 600_000, `${budget.used} bytes are held`)
  for (const { sink } of begun) {
    sink.data(Buffer.alloc(10_000, 'y'))
    sink.end()
  }
  await Promise.all(begun.map(({ sink }) => sink.close()))
  for (const { text } of begun) assert.equal(text(), 'x'.repeat(190_000) + 'y'.repeat(10_000))
  assert.equal(budget.used, 0)
})

async function handlerContext(t: TestContext): Promise<HandlerContext> {
  return {
    mailbox: await tempMailbox(t),
    events: new EventBus(),
    logger: silentLogger,
    refusals: { note: () => {}, hookFailed: () => {} },
    admission: new Admission({}),
    answerer: undefined,
    transfers: { handle: async () => null },
    rates: new RateLimiter({}),
    address: SERVER_ADDRESS,
    from: SERVER_ADDRESS.toString(),
  }
}

const TEXT = Buffer.alloc(100_000, 'x')
const HEADER = encodeTaggedHeader({ type: FrameType.Text, length: TEXT.length }, { messageId: 'm' })
const TRACED = traceToFrame({ sentAtNs: 0n, innerType: FrameType.Text, payload: TEXT })

for (const [what, type, payload] of [
  ['', FrameType.Text, TEXT],
  [' inside a TAGGED one', FrameType.Tagged, Buffer.concat([HEADER.subarray(8), TEXT])],
  [' inside a TRACE', FrameType.Trace, TRACED.payload],
] as const) {
  test(`while memory is tight and the gathered bytes are at their limit, a message${what} goes to the disk before it is complete`, async t => {
    setLimit(t, 'gatheredBytes', 0)
    const context = await handlerContext(t)
    const { inboxDir } = context.mailbox
    const budget = new ByteBudget(1_000_000)
    budget.hold(500_000)
    const { sink } = intake(budget, context)
    sink.start({ type, length: payload.length })
    sink.data(payload.subarray(0, 50_000))
    const deadline = performance.now() + 10_000
    while ((await temporariesIn(inboxDir)).length === 0 && performance.now() < deadline) await delay(5)
    const meanwhile = [await temporariesIn(inboxDir), await namesIn(inboxDir)].map(names => names.length)
    const held = budget.used
    sink.data(payload.subarray(50_000))
    sink.end()
    await sink.close()
    assert.deepEqual([meanwhile, held], [[1, 0], 500_000])
    const [name = ''] = await namesIn(inboxDir)
    assert.equal((await readMessage(join(inboxDir, name))).data, TEXT.toString())
    assert.deepEqual([await temporariesIn(inboxDir), budget.used], [[], 500_000])
  })
}

test('an incomplete frame is released at the close', async () => {
  const budget = new ByteBudget(1000)
  const { sink } = intake(budget)
  sink.start({ type: 1, length: 100 })
  sink.data(Buffer.alloc(50))
  assert.equal(budget.used, 50)
  await sink.close()
  assert.equal(budget.used, 0)
})

test('the assembler is full at 64 frames, until they are handled', async () => {
  const { sink, full } = intake(new ByteBudget(1000))
  for (let i = 0; i < 63; i++) {
    sink.start({ type: 1, length: 0 })
    sink.end()
  }
  assert.deepEqual(full, [])
  sink.start({ type: 1, length: 0 })
  sink.end()
  assert.deepEqual(full, [true])
  await sink.close()
  assert.deepEqual(full, [true, false])
})

test('the assembler is full while others use up the budget', () => {
  const budget = new ByteBudget(1000)
  const { sink, full } = intake(budget)
  budget.onAvailable(() => sink.updateFull())
  budget.hold(990)
  sink.start({ type: 1, length: 100 })
  sink.data(Buffer.alloc(10))
  assert.deepEqual(full, [true])
  budget.release(990)
  assert.deepEqual(full, [true, false])
})

test('a discarded payload never keeps the assembler full, also if it exceeds the budget', async () => {
  const budget = new ByteBudget(500_000)
  const full: boolean[] = []
  const sink = new FrameAssembler({
    handle: async ({ payload }) => {
      if (!(payload instanceof Uint8Array)) for await (const _ of payload) break
    },
    onFull: isFull => full.push(isFull),
    budget,
    deadlines: new Deadlines({
      idleTimeoutMs: never,
      frameTimeoutMs: never,
      isBusy: () => false,
      onExpired: () => {},
    }),
  })
  sink.start({ type: 1, length: 2_000_000 })
  sink.data(Buffer.alloc(5_000))
  await delay(5)
  // The handler has ended: these bytes are dropped on arrival.
  sink.data(Buffer.alloc(600_000))
  assert.deepEqual([budget.used, full.at(-1) ?? false], [0, false])
  await sink.close()
})
