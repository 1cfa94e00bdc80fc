import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Client } from '#lib/client/client.js'
import { request } from '#lib/client/request.js'
import type { Stream } from '#lib/pilot/transport.js'
import { Server } from '#lib/service/server.js'
import { type Frame, FrameType, typeName } from '#lib/wire/frame.js'
import { writeFrame } from '#lib/wire/frame-io.js'
import { readTaggedPayload } from '#lib/wire/tagged.js'
import { startService, text, textOf } from '../../../../test/helpers/service-harness.ts'
import { SERVER_ADDRESS, socketStreams } from '../../../../test/helpers/socket-streams.ts'

const ACK_REPLY = (frame: Frame) => text(`ACK+REPLY AUTOANSWER ${frame.payload.length} bytes`)

/** A peer that a test plays: `answer` gives the frames that answer one, null to close, or nothing. */
async function peer(t: TestContext, answer: (frame: Frame, stream: Stream) => (Frame | null)[]) {
  const streams = socketStreams(t)
  const seen: string[] = []
  const server = new Server(streams, async (stream, frame) => {
    seen.push(`${typeName(frame.type)} ${textOf(frame)}`)
    for (const reply of answer(frame, stream)) {
      if (reply === null) stream.destroy()
      else await writeFrame(stream, reply)
    }
  })
  const serving = server.listenAndServe()
  t.after(async () => {
    await server.close()
    await serving
  })
  await new Promise(resolve => setImmediate(resolve))
  const driver = { dial: streams.dial.bind(streams), resolve: async () => SERVER_ADDRESS }
  return { driver, seen }
}

test('a peer that answers: the reply, and the receipt', async t => {
  const { driver } = await peer(t, frame => [ACK_REPLY(frame), text('réponse')])
  const told: string[] = []
  const client = await Client.dial(driver, SERVER_ADDRESS)
  const outcome = await client.request('hello', { onAcknowledged: ({ answer }) => told.push(answer) })
  await client.close()
  assert.equal(outcome.reply, 'réponse')
  assert.deepEqual(Buffer.from(outcome.replyBytes ?? []), Buffer.from('réponse'))
  assert.deepEqual(outcome.receipt, {
    type: 'AUTOANSWER',
    size: 5,
    duplicate: false,
    answer: 'ACK+REPLY AUTOANSWER 5 bytes',
    idAccepted: false,
    resent: false,
  })
  assert.deepEqual(told, ['ACK+REPLY AUTOANSWER 5 bytes'])
})

test('the service answers requests with ids, and tells the hook of them', async t => {
  const node = await startService(t, {
    answer: ({ text, messageId, replyTo }) => `${text} ${messageId} ${replyTo}`,
  })
  const client = new Client(await node.dial())
  t.after(() => client.close())
  const { reply, receipt } = await client.request('asked', { messageId: 'mine', replyTo: 'yours' })
  assert.equal(reply, 'asked mine yours')
  assert.deepEqual([receipt.messageId, receipt.idAccepted], ['mine', true])
  await client.close()
  const [event] = node.events
  assert.equal(event?.topic, 'request.answered')
  assert.match(JSON.stringify(event?.payload), /"message_id":"mine","reply_to":"yours"/)
})

test('[autoanswer.stored] a peer that answers nothing has stored the request', async t => {
  const node = await startService(t)
  const driver = { dial: node.dial, resolve: async () => SERVER_ADDRESS }
  const { reply, receipt } = await request(driver, 'alice', 'asked')
  assert.equal(reply, undefined)
  assert.deepEqual([receipt.type, receipt.answer], ['AUTOANSWER', 'ACK AUTOANSWER 5 bytes'])
  const [message] = node.messages()
  assert.match(String(receipt.messageId), /^[0-9a-f]{32}$/)
  assert.deepEqual([message?.type, message?.message_id], ['AUTOANSWER', receipt.messageId])
})

for (const word of ['ACK', 'ERR']) {
  test(`[autoanswer.older-peer] a peer that answers ${word} UNKNOWN(6) gets the text again as TEXT, on the same connection`, async t => {
    const streams = new Set<Stream>()
    const { driver, seen } = await peer(t, ({ type, payload }, stream) => {
      streams.add(stream)
      return [
        text(type === FrameType.Text ? `ACK TEXT ${payload.length} bytes` : `${word} UNKNOWN(${type}) x`),
      ]
    })
    const { reply, receipt } = await request(driver, SERVER_ADDRESS, 'asked')
    assert.equal(reply, undefined)
    assert.deepEqual([receipt.type, receipt.idAccepted], ['TEXT', false])
    assert.deepEqual(seen.slice(1), ['AUTOANSWER asked', 'TEXT asked'])
    assert.match(seen[0] ?? '', /^TAGGED .*asked$/s)
    assert.equal(streams.size, 1)
  })
}

test('a peer that knows ids but no requests gets the TEXT under the same id', async t => {
  const ids: unknown[] = []
  const { driver } = await peer(t, frame => {
    const { messageId, innerType, payload } = readTaggedPayload(frame)
    ids.push(messageId)
    const isText = innerType === FrameType.Text
    return [text(isText ? `ACK TEXT ${payload.length} bytes` : 'ERR UNKNOWN(6) save failed: no')]
  })
  const { receipt } = await request(driver, SERVER_ADDRESS, 'asked')
  assert.deepEqual([receipt.type, receipt.idAccepted], ['TEXT', true])
  assert.deepEqual(ids, [receipt.messageId, receipt.messageId])
})

test('a peer that knows requests but no ids is asked without', async t => {
  const { driver, seen } = await peer(t, frame =>
    frame.type === FrameType.AutoAnswer
      ? [ACK_REPLY(frame), text('reply')]
      : [text('ERR UNKNOWN(10) save failed: no')],
  )
  const { reply, receipt } = await request(driver, SERVER_ADDRESS, 'asked')
  assert.deepEqual([reply, receipt.idAccepted, seen[1]], ['reply', false, 'AUTOANSWER asked'])
})

const failures: [string, Frame | null, RegExp][] = [
  [
    'says why',
    { type: FrameType.JSON, payload: Buffer.from('{"error":"too slow"}') },
    /did not reply: too slow$/,
  ],
  ['says nothing of use', { type: FrameType.JSON, payload: Buffer.from('[') }, /a JSON frame came/],
  ['sends another frame', { type: FrameType.Binary, payload: Buffer.from('x') }, /a BINARY frame came/],
  ['closes', null, /the connection ended before its reply/],
]

for (const [what, frame, message] of failures) {
  test(`a peer that takes the request and ${what}: REPLY_FAILED`, async t => {
    const { driver } = await peer(t, asked => [ACK_REPLY(asked), frame])
    const client = await Client.dial(driver, SERVER_ADDRESS)
    t.after(() => client.close())
    await assert.rejects(client.request('x'), { name: 'DeliveryError', code: 'REPLY_FAILED', message })
  })
}

test('no reply in time, no answer in time, a refusal, and a signal', async t => {
  const { driver } = await peer(t, frame => {
    if (textOf(frame) === 'refused') return [text('ERR AUTOANSWER save failed: busy')]
    return textOf(frame) === 'silent' ? [] : [ACK_REPLY(frame)]
  })
  const ask = async (asked: string, options: { timeoutMs?: number; signal?: AbortSignal }) => {
    const client = await Client.dial(driver, SERVER_ADDRESS)
    t.after(() => client.close())
    return client.request(asked, options)
  }
  await assert.rejects(ask('x', { timeoutMs: 50 }), { code: 'REPLY_TIMED_OUT' })
  await assert.rejects(ask('silent', { timeoutMs: 50 }), { code: 'ANSWER_TIMED_OUT' })
  await assert.rejects(ask('refused', {}), { code: 'PEER_REFUSED', message: /busy/ })
  await assert.rejects(ask('x', { signal: AbortSignal.timeout(50) }), { code: 'ABORTED' })
})

test('deliveries behind a request get their own answers', async t => {
  const { driver } = await peer(t, frame =>
    frame.type === FrameType.AutoAnswer
      ? [ACK_REPLY(frame), text('ACK TEXT 99 bytes')]
      : [text(`ACK TEXT ${frame.payload.length} bytes`)],
  )
  const client = await Client.dial(driver, SERVER_ADDRESS)
  const [outcome, one, two] = await Promise.all([
    client.request('asked'),
    client.deliver({ text: 'a' }),
    // Without request(), the reply is dropped.
    client
      .deliver({ type: FrameType.AutoAnswer, payload: Buffer.from('raw') })
      .then(() => client.deliver({ text: 'abc' })),
  ])
  await client.close()
  assert.deepEqual([outcome.reply, one.size, two.size], ['ACK TEXT 99 bytes', 1, 3])
})
