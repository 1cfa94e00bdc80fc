import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FIXED_LIMITS } from '#lib/limits.js'
import { encodeFrame } from '#lib/wire/encode.js'
import { FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { decodeTraceAnswer, traceToFrame } from '#lib/wire/trace.js'
import { closed, closeStream, startService, text, textOf } from '../../../../test/helpers/service-harness.ts'
import { setLimit } from '../../../../test/helpers/set-limit.ts'

test('a connection over the limit is closed at once; after another one has left, the next is served', async t => {
  const node = await startService(t, { maxConnections: 2 })
  const first = await node.dial()
  const second = await node.dial()
  for (const stream of [first, second]) {
    await writeFrame(stream, text('x'))
    assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 1 bytes')
  }
  const third = await node.dial()
  assert.equal(await readFrame(third), null)
  assert.deepEqual(node.service.refusals, { 'connections were refused: too many connections': 1 })
  await closeStream(first)
  for (;;) {
    const answers = await node.ask(text('next')).catch(() => [])
    if (answers[0] === 'ACK TEXT 4 bytes') break
    await delay(5)
  }
  await closeStream(second)
})

test('the connections of one peer are limited', async t => {
  const node = await startService(t, { maxConnectionsPerPeer: 1 })
  const first = await node.dial()
  await writeFrame(first, text('x'))
  await readFrame(first)
  assert.equal(await readFrame(await node.dial()), null)
  assert.deepEqual(node.service.refusals, {
    'connections were refused: this peer has too many connections': 1,
  })
  await closeStream(first)
})

test('a dribbled frame ends its connection, although bytes arrive all the time; other peers are served meanwhile', async t => {
  const node = await startService(t, { frameTimeoutMs: 200 })
  const slow = await node.dial()
  slow.on('error', () => {})
  slow.write(Buffer.from('0000000100000400', 'hex'))
  const dribble = setInterval(() => slow.write('x'), 10)
  t.after(() => clearInterval(dribble))
  const over = closed(slow)
  slow.resume()
  assert.deepEqual(await node.ask(text('honest')), ['ACK TEXT 6 bytes'])
  await over
  assert.equal(node.messages().length, 1)
  assert.deepEqual(node.service.refusals, { 'connection dropped: a frame takes too long': 1 })
})

test('empty frames do not extend the idle time', async t => {
  const node = await startService(t, { idleTimeoutMs: 200 })
  const stream = await node.dial()
  stream.on('error', () => {})
  const beat = setInterval(
    () => void writeFrame(stream, { type: 99, payload: new Uint8Array(0) }).catch(() => {}),
    20,
  )
  t.after(() => clearInterval(beat))
  const over = closed(stream)
  stream.resume()
  await over
  assert.equal(node.service.refusals['connection dropped: idle for too long'], 1)
})

test('a declared length does not extend the deadline: a large frame without data ends its connection', async t => {
  const node = await startService(t, { frameTimeoutMs: 200 })
  for (const header of ['0000000110000000', '0000000410000000' + '0001' + '61']) {
    const stream = await node.dial()
    stream.on('error', () => {})
    const over = closed(stream)
    stream.resume()
    stream.write(Buffer.from(header, 'hex'))
    await over
  }
  assert.equal(node.service.refusals['connection dropped: a frame takes too long'], 2)
})

test('a flood of empty frames does not extend the idle time, also while some are being handled', async t => {
  const node = await startService(t, { idleTimeoutMs: 300, durability: 'os' })
  const stream = await node.dial()
  stream.on('error', () => {})
  const over = closed(stream)
  let isOver = false
  void over.then(() => {
    isOver = true
  })
  stream.resume()
  const empty = Buffer.from('0000000100000000', 'hex')
  // No faster than a busy disk takes them: the time in which the service does not read does not count.
  while (!isOver) await new Promise<unknown>(resolve => stream.write(empty, () => setTimeout(resolve, 4)))
  assert.equal(node.service.refusals['connection dropped: idle for too long'], 1)
})

test('a refused frame is answered with the reason, not stored, and logged once', async t => {
  const node = await startService(t, {
    accept: ({ type, size }) => type !== 'FILE' || size <= 10 || 'files up to 10 bytes only',
  })
  const big = { type: FrameType.File, filename: 'big', payload: Buffer.alloc(600_000) }
  const small = { type: FrameType.File, filename: 'small', payload: Buffer.alloc(10) }
  assert.deepEqual(await node.ask(big, small, big, text('x'.repeat(100))), [
    'ERR FILE save failed: refused: files up to 10 bytes only',
    'ACK FILE 10 bytes',
    'ERR FILE save failed: refused: files up to 10 bytes only',
    'ACK TEXT 100 bytes',
  ])
  assert.equal(node.files().size, 1)
  assert.equal(node.log.length, 1)
  assert.deepEqual(node.service.refusals, { 'frames were refused: not admitted': 2 })
})

test('a frame that is refused plainly is refused inside a TRACE, too, small and large', async t => {
  const node = await startService(t, {
    accept: ({ type, filename }) => type !== 'FILE' || filename === 'ok' || 'no such files',
  })
  const traced = (name: string, size: number) =>
    traceToFrame({
      sentAtNs: 0n,
      innerType: FrameType.File,
      payload: Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.alloc(size)]),
    })
  const answers = await node.ask(traced('no', 10), traced('no', 600_000), traced('ok', 10), text('on'))
  assert.deepEqual(
    answers.slice(0, 3).map(answer => decodeTraceAnswer(answer).innerAck),
    [
      'ERR FILE save failed: refused: no such files',
      'ERR FILE save failed: refused: no such files',
      'ACK FILE 10 bytes',
    ],
  )
  assert.equal(answers[3], 'ACK TEXT 2 bytes')
  assert.equal(node.files().size, 1)
  assert.deepEqual(node.service.refusals, { 'frames were refused: not admitted': 2 })
})

test('a sender on the deny list gets the reason', async t => {
  const node = await startService(t, { deny: ['1:*'] })
  assert.deepEqual(await node.ask(text('x')), [
    'ERR TEXT save failed: refused: this sender may not send here',
  ])
  assert.equal(node.messages().length, 0)
})

test('a hook that throws refuses the frame, and the connection stays open', async t => {
  const node = await startService(t, {
    accept: ({ size }) => {
      if (size === 3) throw new Error('the database is down')
      return true
    },
  })
  assert.deepEqual(await node.ask(text('bad'), text('good')), [
    'ERR TEXT save failed: internal error',
    'ACK TEXT 4 bytes',
  ])
  const [line, ...others] = node.log.filter(({ level }) => level === 'error')
  assert.equal(line?.message, 'the accept hook failed')
  assert.match(String(line?.fields.err), /the database is down/)
  assert.deepEqual(others, [])
})

test('rate limits cover all connections of a peer', async t => {
  const node = await startService(t, { rates: { framesPerSecond: 3 } })
  const answers = [...(await node.ask(text('1'), text('2'))), ...(await node.ask(text('3'), text('4')))]
  assert.deepEqual(answers, [
    'ACK TEXT 1 bytes',
    'ACK TEXT 1 bytes',
    'ACK TEXT 1 bytes',
    'ERR TEXT save failed: refused: this sender sends too much; try again later',
  ])
})

test('frames that wait for a store slot do not block frames that have one', async t => {
  setLimit(t, 'bytesHeldPerPeer', 400_000)
  setLimit(t, 'gatheredBytes', 4 * 200_000)
  const node = await startService(t)
  const whole = Buffer.concat(encodeFrame(text('x'.repeat(200_000))))
  const peers = await Promise.all(Array.from({ length: 6 }, () => node.dial()))
  for (const peer of peers) peer.write(whole.subarray(0, 100_000))
  // The budget is used up then, and one of the frames has a slot.
  await delay(50)
  for (const peer of peers) peer.write(whole.subarray(100_000))
  const answers = await Promise.all(peers.map(peer => readFrame(peer)))
  assert.deepEqual(answers.map(textOf), Array(6).fill('ACK TEXT 200000 bytes'))
  await Promise.all(peers.map(closeStream))
})

test('a rate of zero or less means no limit', async t => {
  for (const rate of [0, -1]) {
    const node = await startService(t, { rates: { framesPerSecond: rate, bytesPerSecond: rate } })
    assert.deepEqual(await node.ask(text('1'), text('2')), ['ACK TEXT 1 bytes', 'ACK TEXT 1 bytes'])
  }
})

test('many peers with half a frame each do not use up the budget of peers that complete theirs', async t => {
  const node = await startService(t)
  const peers = await Promise.all(Array.from({ length: 60 }, () => node.dial()))
  // Each declares 256 KiB and sends all but one byte: about the budget of one peer, which all of them are.
  const header = Buffer.from('0000000100040000', 'hex')
  const almost = Buffer.alloc(FIXED_LIMITS.wholeFrame.value - 1, 'x')
  for (const peer of peers) {
    peer.on('error', () => {})
    peer.write(header)
    peer.write(almost)
  }
  assert.deepEqual(await node.ask(text('x'.repeat(100_000))), ['ACK TEXT 100000 bytes'])
  for (const peer of peers) peer.write('x')
  const answers = await Promise.all(peers.map(async peer => textOf(await readFrame(peer))))
  assert.ok(answers.every(answer => answer === 'ACK TEXT 262144 bytes'))
  assert.equal(node.messages().length, 61)
  await Promise.all(peers.map(closeStream))
})
