import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import type { Message } from '#lib/client/outgoing.js'
import type { Stream } from '#lib/pilot/transport.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { readTaggedPayload } from '#lib/wire/tagged.js'
import { readTracePayload } from '#lib/wire/trace.js'
import { connected } from '../../../../test/helpers/connected-client.ts'
import { text, textOf } from '../../../../test/helpers/service-harness.ts'
import { tempDir } from '../../../../test/helpers/temp-dir.ts'

async function next(peer: Stream): Promise<Frame> {
  const frame = await readFrame(peer)
  assert.ok(frame !== null, 'the client closed')
  return frame
}

const OLD = ['ACK UNKNOWN(10) 99 bytes', 'ERR UNKNOWN(10) save failed: unsupported frame type 10']

test('[tagged.layout] a delivery with ids is written as TAGGED, and the receipt tells', async t => {
  const { client, peer } = await connected(t)
  assert.equal(client.supportsIds, undefined)
  const delivery = client.deliver({ text: 'hi' }, { messageId: 'm', replyTo: 'r' })
  const frame = readTaggedPayload(await next(peer))
  assert.deepEqual(
    { ...frame, payload: String(frame.payload) },
    { messageId: 'm', replyTo: 'r', innerType: 1, payload: 'hi' },
  )
  await writeFrame(peer, text('ACK TEXT 2 bytes (duplicate)'))
  assert.deepEqual(await delivery, {
    type: 'TEXT',
    size: 2,
    duplicate: true,
    answer: 'ACK TEXT 2 bytes (duplicate)',
    messageId: 'm',
    idAccepted: true,
    resent: false,
  })
  assert.equal(client.supportsIds, true)

  const plain = client.deliver({ text: 'plain' })
  assert.equal((await next(peer)).type, FrameType.Text)
  await writeFrame(peer, text('ACK TEXT 5 bytes'))
  assert.deepEqual([(await plain).idAccepted, (await plain).messageId], [false, undefined])
})

for (const refusal of OLD) {
  test(`[tagged.fallback] a peer without TAGGED gets the same frame untagged: ${refusal}`, async t => {
    const { client, peer } = await connected(t)
    const deliveries = ['a', 'bb', 'ccc'].map(data => client.deliver({ text: data }, { messageId: 'm' }))
    deliveries.push(client.deliver({ text: 'dddd' }))
    assert.equal((await next(peer)).type, FrameType.Tagged)
    await writeFrame(peer, text(refusal))
    for (const data of ['a', 'bb', 'ccc', 'dddd']) {
      const frame = await next(peer)
      assert.deepEqual([frame.type, textOf(frame)], [FrameType.Text, data])
      await writeFrame(peer, text(`ACK TEXT ${data.length} bytes`))
    }
    const receipts = await Promise.all(deliveries)
    assert.deepEqual(
      receipts.map(({ size: bytes, idAccepted: tagged }) => [bytes, tagged]),
      [
        [1, false],
        [2, false],
        [3, false],
        [4, false],
      ],
    )
    assert.equal(client.supportsIds, false)
  })
}

test('[tagged.fallback] another refusal does not mean that TAGGED is unknown', async t => {
  const { client, peer } = await connected(t)
  for (const [type, answer, code] of [
    [77, 'ERR UNKNOWN(77) save failed: unsupported frame type 77', 'PEER_UNSUPPORTED'],
    [1, 'ERR TEXT save failed: inbox full', 'PEER_REFUSED'],
  ] as const) {
    const delivery = client.deliver({ type, payload: Buffer.from('') }, { messageId: 'm' })
    await next(peer)
    await writeFrame(peer, text(answer))
    await assert.rejects(delivery, { code })
  }
  assert.equal(client.supportsIds, true)
})

test('[ack.order] nothing overtakes a frame that may have to be sent again', async t => {
  const { client, peer } = await connected(t)
  const first = client.deliver({ text: 'first' }, { messageId: 'm' })
  const second = client.deliver({ text: 'second' }, { messageId: 'n' })
  const sent = client.sendText('third')
  await next(peer)
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.equal(peer.readableLength, 0)
  await writeFrame(peer, text('ACK TEXT 5 bytes'))
  assert.equal(String(readTaggedPayload(await next(peer)).payload), 'second')
  assert.equal(textOf(await next(peer)), 'third')
  await writeFrame(peer, text('ACK TEXT 6 bytes'))
  await Promise.all([first, second, sent])
})

test('a first delivery that gives up lets the others go on', async t => {
  const { client, peer } = await connected(t)
  const late = client.deliver({ text: 'late' }, { messageId: 'm', answerTimeoutMs: 20 })
  const abort = new AbortController()
  const aborted = client.deliver({ text: 'aborted' }, { messageId: 'n', signal: abort.signal })
  const last = client.deliver({ text: 'last' }, { messageId: 'o' })
  await assert.rejects(late, { code: 'ANSWER_TIMED_OUT' })
  for (let i = 0; i < 2; i++) await next(peer)
  abort.abort()
  await assert.rejects(aborted, { code: 'ABORTED' })
  await next(peer)
  for (const bytes of [4, 7, 4]) await writeFrame(peer, text(`ACK TEXT ${bytes} bytes`))
  assert.equal((await last).size, 4)
})

test('[tagged.fallback] files are sent again from wherever they come', async t => {
  const content = Buffer.alloc(700_000, 'abc')
  const path = join(tempDir(t), 'f.bin')
  writeFileSync(path, content)
  const half = content.length / 2
  const stream = () => Readable.from([content.subarray(0, half), content.subarray(half)])
  const files: Message[] = [
    { file: path },
    { file: content, name: 'f.bin' },
    { file: new Blob([content]), name: 'f.bin' },
    { file: stream(), name: 'f.bin' },
    { file: stream(), name: 'f.bin', size: content.length },
  ]
  for (const message of files) {
    const { client, peer } = await connected(t)
    const delivery = client.deliver(message, { messageId: 'm' })
    const tagged = readTaggedPayload(await next(peer))
    assert.ok(Buffer.concat([Buffer.from('\0\x05f.bin'), content]).equals(tagged.payload))
    await writeFrame(peer, text(OLD[0] ?? ''))
    const frame = await next(peer)
    assert.equal(frame.filename, 'f.bin')
    assert.ok(content.equals(frame.payload))
    await writeFrame(peer, text('ACK FILE 700000 bytes'))
    assert.equal((await delivery).idAccepted, false)
  }
})

test('a stream that has not the size it was said to have is not sent', async t => {
  const { client, peer } = await connected(t)
  const file = Readable.from([Buffer.alloc(10)])
  await assert.rejects(client.deliver({ file, name: 'f', size: 11 }, { messageId: 'm' }), {
    code: 'FRAME_INVALID',
  })
  await client.sendText('on')
  assert.equal(textOf(await next(peer)), 'on')
})

test('a TRACE with ids is a TAGGED around it, and takes the time anew where it is sent again', async t => {
  const { client, peer } = await connected(t)
  const delivery = client.deliver({ trace: Buffer.from('probe') }, { messageId: 'm' })
  const first = readTaggedPayload(await next(peer))
  assert.equal(first.innerType, FrameType.Trace)
  await writeFrame(peer, text(OLD[1] ?? ''))
  const second = await next(peer)
  const sentAt = (payload: Uint8Array) => readTracePayload({ type: FrameType.Trace, payload }).sentAtNs
  assert.ok(sentAt(second.payload) >= sentAt(first.payload))
  const times = '"sent_at_ns":1,"received_at_ns":2,"inbox_written_at_ns":3,"ack_sent_at_ns":4'
  await writeFrame(peer, { type: 3, payload: Buffer.from(`{${times},"inner_ack":"ACK TEXT 5 bytes"}`) })
  assert.equal((await delivery).trace?.receivedAtNs, 2n)
})

test('[tagged.cap] [tagged.id-form] what cannot be sent with its ids is refused before a byte is written', async t => {
  const { client, peer } = await connected(t, { maxFrameSize: 100 })
  const ids = { messageId: 'm'.repeat(20) }
  await assert.rejects(client.deliver({ text: 'x'.repeat(80) }, ids), { code: 'FRAME_TOO_LARGE' })
  for (const messageId of ['', 'a b', 'x'.repeat(129)]) {
    await assert.rejects(client.deliver({ text: 'x' }, { messageId }), { code: 'MESSAGE_ID_INVALID' })
    await assert.rejects(client.deliver({ text: 'x' }, { replyTo: messageId }), {
      code: 'MESSAGE_ID_INVALID',
    })
  }
  await assert.rejects(client.deliver({ type: 10, payload: Buffer.from('') }, ids), {
    code: 'TAGGED_INVALID',
  })
  await client.send({ text: 'on' }, { replyTo: 'r' })
  const frame = readTaggedPayload(await next(peer))
  assert.deepEqual([frame.replyTo, String(frame.payload)], ['r', 'on'])
})
