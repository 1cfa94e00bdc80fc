import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { AcceptRequest } from '#lib/service/peers/admission.js'
import { encodeFrame } from '#lib/wire/encode.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { encodeTaggedHeader, type MessageIds } from '#lib/wire/tagged.js'
import { decodeTraceAnswer, traceToFrame } from '#lib/wire/trace.js'
import { closeStream, startService, text, textOf } from '../../../../../test/helpers/service-harness.ts'

const IDS = { messageId: 'm-1', replyTo: 'r-1' }
const LARGE = Buffer.alloc(600_000, 'large ')

/** `frame` inside a TAGGED one. */
function tagged(frame: Frame, ids: MessageIds = IDS): Frame {
  const { type, filename, payload } = frame
  const header = encodeTaggedHeader({ type, filename, length: payload.length }, ids)
  return { type: FrameType.Tagged, payload: Buffer.concat([header.subarray(8), payload]) }
}

function file(filename: string, data: string | Uint8Array): Frame {
  return { type: FrameType.File, filename, payload: Buffer.from(data) }
}

/** A frame around the payload of a FILE, name and all. */
function traced(innerType: number, inner: Uint8Array): Frame {
  return traceToFrame({ sentAtNs: 7n, innerType, payload: inner })
}

/** A TAGGED payload that is given in parts. */
function raw(header: string | Uint8Array, rest: Uint8Array, length = Buffer.byteLength(header)): Frame {
  const head = Buffer.from([length >> 8, length & 0xff])
  return { type: FrameType.Tagged, payload: Buffer.concat([head, Buffer.from(header), rest]) }
}

test('[tagged.answer] [tagged.ids-stored] the inner frame is stored and answered like a plain frame, with its ids', async t => {
  const node = await startService(t)
  const answers = await node.ask(
    tagged(text('héllo')),
    tagged({ type: FrameType.Binary, payload: Buffer.from([0, 255]) }, { messageId: 'm-1' }),
    tagged({ type: FrameType.JSON, payload: Buffer.from('{}') }, { replyTo: 'r-1' }),
    tagged({ type: FrameType.AutoAnswer, payload: Buffer.from('who?') }),
    tagged(file('a.txt', 'data')),
    tagged(file('', 'x'), { replyTo: 'r-1' }),
    tagged(text(LARGE.toString())),
    tagged(file('large', LARGE)),
    tagged({ type: 77, payload: Buffer.from('abc') }),
    raw('{}', Buffer.from('\0\0\0\x01plain')),
  )
  assert.deepEqual(answers, [
    'ACK TEXT 6 bytes',
    'ACK BINARY 2 bytes',
    'ACK JSON 2 bytes',
    'ACK AUTOANSWER 4 bytes',
    'ACK FILE 4 bytes',
    'ACK FILE 1 bytes',
    'ACK TEXT 600000 bytes',
    'ACK FILE 600000 bytes',
    'ERR UNKNOWN(77) save failed: unsupported frame type 77',
    'ACK TEXT 5 bytes',
  ])
  const byData = new Map(node.messages().map(message => [message.data, message]))
  const idsOf = (data: string) => {
    const message = byData.get(data)
    return [message?.message_id, message?.reply_to]
  }
  assert.deepEqual(idsOf('héllo'), ['m-1', 'r-1'])
  assert.deepEqual(idsOf('{}'), [undefined, 'r-1'])
  assert.deepEqual(idsOf('who?'), ['m-1', 'r-1'])
  assert.deepEqual(idsOf('plain'), [undefined, undefined])
  assert.deepEqual(idsOf(LARGE.toString()), ['m-1', 'r-1'])
  assert.ok([...node.files().values()].some(data => data.equals(LARGE)))

  await delay(5)
  const payloads = node.events.map(({ payload }) => payload as Record<string, unknown>)
  const ids = payloads.map(({ type, filename, message_id, reply_to }) => [
    type ?? filename,
    message_id,
    reply_to,
  ])
  for (const expected of [
    ['TEXT', 'm-1', 'r-1'],
    ['BINARY', 'm-1', undefined],
    ['JSON', undefined, 'r-1'],
    ['a.txt', 'm-1', 'r-1'],
    ['', undefined, 'r-1'],
  ]) {
    assert.ok(
      ids.some(found => JSON.stringify(found) === JSON.stringify(expected)),
      JSON.stringify(expected),
    )
  }
  assert.ok(payloads.some(payload => payload.type === 'TEXT' && !('message_id' in payload)))
})

test('[tagged.answer] [tagged.duplicate] an inner TRACE is answered with its times, and its frame is stored once', async t => {
  const node = await startService(t)
  const inner = Buffer.from('\0\x05a.txtdata')
  const frames = [
    tagged(traced(FrameType.Text, Buffer.from('probe'))),
    tagged(traced(FrameType.Text, Buffer.from('probe'))),
    tagged(text('probe')),
    tagged(traced(FrameType.File, inner)),
    tagged(file('a.txt', 'data')),
    tagged(traced(FrameType.Tagged, tagged(text('x')).payload)),
  ]
  const answers: string[] = []
  for (const frame of frames) answers.push(...(await node.ask(frame)))
  const acks = answers.map(answer => (answer.startsWith('{') ? decodeTraceAnswer(answer).innerAck : answer))
  assert.deepEqual(acks, [
    'ACK TEXT 5 bytes',
    'ACK TEXT 5 bytes (duplicate)',
    'ACK TEXT 5 bytes (duplicate)',
    'ACK FILE 4 bytes',
    'ACK FILE 4 bytes (duplicate)',
    'ERR UNKNOWN(10) save failed: unsupported frame type 10',
  ])
  assert.equal(decodeTraceAnswer(answers[0] ?? '').sentAtNs, 7n)
  assert.equal(node.messages()[0]?.message_id, 'm-1')
  assert.equal(node.messages().length, 1)
  assert.equal(node.files().size, 1)
})

test('[tagged.malformed-answer] a malformed TAGGED frame is refused, also a large one, and the connection stays open', async t => {
  const node = await startService(t)
  const inner = Buffer.from('\0\0\0\x01x')
  const answers = await node.ask(
    { type: FrameType.Tagged, payload: Buffer.from('') },
    raw('', inner),
    raw('x'.repeat(1025), inner),
    raw('{"message_id":"a"', inner),
    raw('[]', LARGE),
    raw('{}', Buffer.concat([Buffer.from([0, 0, 0, 10]), LARGE])),
    raw('{}', Buffer.from([0, 0, 0])),
    raw('{"message_id":"a b"}', inner),
    raw('{"message_id":"a b"}', Buffer.concat([inner, LARGE])),
    raw('{}', inner, 60_000),
    tagged({ type: FrameType.File, filename: 'x', payload: Buffer.from('') }, { messageId: 'a' }),
    raw('{}', Buffer.from('\0\0\0\x04\0\x04../x')),
    raw('{}', Buffer.concat([Buffer.from('\0\0\0\x04\0\x04../x'), LARGE])),
    raw('{}', Buffer.from('\0\0\0\x04\0\x09x')),
    raw('{}', Buffer.from('\0\0\0\x04')),
    text('after'),
  )
  assert.deepEqual(answers, [
    ...Array(7).fill('ERR TAGGED save failed: malformed TAGGED frame'),
    'ERR TAGGED save failed: malformed message id',
    'ERR TAGGED save failed: malformed message id',
    'ERR TAGGED save failed: malformed TAGGED frame',
    'ACK FILE 0 bytes',
    'ERR FILE save failed: unsafe file name',
    'ERR FILE save failed: unsafe file name',
    'ERR FILE save failed: malformed file name',
    'ERR FILE save failed: malformed file name',
    'ACK TEXT 5 bytes',
  ])
  assert.equal(node.service.refusals['frames were not stored: malformed TAGGED frame'], 8)
  assert.equal(node.messages().length, 1)
})

test('[tagged.duplicate] a duplicate gets the first answer and publishes no event', async t => {
  const node = await startService(t)
  const frames = [text('hello'), file('a', LARGE), text(LARGE.toString())]
  for (const frame of frames) {
    const [first] = await node.ask(tagged(frame))
    assert.deepEqual(await node.ask(tagged(frame), tagged(frame)), [
      `${first} (duplicate)`,
      `${first} (duplicate)`,
    ])
  }
  await delay(5)
  assert.equal(node.events.length, 3)
  assert.deepEqual(await node.ask(tagged(text('other'))), ['ACK TEXT 5 bytes'])
  assert.deepEqual(await node.ask(text('hello'), text('hello')), ['ACK TEXT 5 bytes', 'ACK TEXT 5 bytes'])
})

test('[tagged.restart] after a restart, the service answers a stored message as a duplicate', async t => {
  const node = await startService(t)
  await node.ask(tagged(text('hello')), tagged(file('a', LARGE)))
  await node.service.stop()
  await node.start()
  assert.deepEqual(await node.ask(tagged(text('hello')), tagged(file('a', LARGE))), [
    'ACK TEXT 5 bytes (duplicate)',
    'ACK FILE 600000 bytes (duplicate)',
  ])
})

test('a TAGGED frame that arrives byte by byte is the same frame', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  for (const byte of Buffer.concat([...encodeFrame(tagged(file('a', 'bc'))), ...encodeFrame(text('x'))])) {
    stream.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  assert.equal(textOf(await readFrame(stream)), 'ACK FILE 2 bytes')
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 1 bytes')
  await closeStream(stream)
})

test('a TAGGED frame that is cut off leaves nothing', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  const [header, payload] = encodeFrame(tagged(file('a', LARGE)))
  await new Promise(resolve => stream.write(Buffer.concat([header!, payload!.subarray(0, 400_000)]), resolve))
  await closeStream(stream)
  assert.deepEqual(await node.ask(tagged(file('a', LARGE))), ['ACK FILE 600000 bytes'])
  assert.equal(node.files().size, 1)
})

test('[tagged.admission] the accept hook is called for the inner frame, with its ids, and again under a TRACE', async t => {
  const asked: AcceptRequest[] = []
  const node = await startService(t, {
    accept: request => {
      asked.push(request)
      return request.type === 'FILE' ? 'no files' : true
    },
  })
  const inner = Buffer.from('\0\x05a.txtdata')
  const answers = await node.ask(
    tagged(text('x')),
    tagged(file('a.txt', 'data')),
    tagged(file('a.txt', LARGE)),
    tagged(traced(FrameType.File, inner), { messageId: 'm-2' }),
  )
  assert.deepEqual(answers.slice(0, 3), [
    'ACK TEXT 1 bytes',
    'ERR FILE save failed: refused: no files',
    'ERR FILE save failed: refused: no files',
  ])
  assert.equal(decodeTraceAnswer(answers[3] ?? '').innerAck, 'ERR FILE save failed: refused: no files')
  assert.deepEqual(
    asked.map(({ type, size, filename, messageId, replyTo }) => [type, size, filename, messageId, replyTo]),
    [
      ['TEXT', 1, undefined, 'm-1', 'r-1'],
      ['FILE', 4, 'a.txt', 'm-1', 'r-1'],
      ['FILE', 600_000, 'a.txt', 'm-1', 'r-1'],
      ['TRACE', 23, undefined, 'm-2', undefined],
      ['FILE', 4, 'a.txt', 'm-2', undefined],
    ],
  )
  assert.equal(node.files().size, 0)
})

test('[tagged.admission] a sender that may not send may not do so in a TAGGED frame, and a duplicate is refused, too', async t => {
  const node = await startService(t, { deny: ['1:*'] })
  const answers = await node.ask(tagged(text('x')), tagged(text('x')))
  assert.deepEqual(answers, Array(2).fill('ERR TEXT save failed: refused: this sender may not send here'))
})

test('[tagged.admission] a TAGGED frame counts against the rates once, with its whole size', async t => {
  const frames = await startService(t, { rates: { framesPerSecond: 3 } })
  const traces = Array.from({ length: 4 }, (_, i) => tagged(traced(1, Buffer.from(`${i}`))))
  const acks = (await frames.ask(...traces)).map(answer => answer.slice(0, 3))
  assert.equal(acks.filter(ack => ack === '{"s').length, 3)

  const bytes = await startService(t, { rates: { bytesPerSecond: 1000 } })
  const header = `{"x":"${'x'.repeat(1000)}"}`
  const tiny = raw(header, Buffer.from([0, 0, 0, 1]))
  const answers = await bytes.ask(tiny, tiny)
  assert.deepEqual(answers, [
    'ACK TEXT 0 bytes',
    'ERR TEXT save failed: refused: this sender sends too much; try again later',
  ])
})

test('writeFrame writes the given ids', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  await writeFrame(stream, text('x'), { ids: IDS })
  await writeFrame(stream, file('f', 'y'), { ids: { replyTo: 'r-2' } })
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 1 bytes')
  assert.equal(textOf(await readFrame(stream)), 'ACK FILE 1 bytes')
  assert.equal(node.messages()[0]?.message_id, 'm-1')
  await closeStream(stream)
})
