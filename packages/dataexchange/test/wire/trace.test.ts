import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFrame } from '#lib/wire/encode.js'
import {
  decodeTraceAnswer,
  decodeTraceHead,
  encodeTraceAnswer,
  readTracePayload,
  traceToFrame,
} from '#lib/wire/trace.js'
import { frameVectors, fromHex, hex } from '../../../../test/helpers/vectors.js'

const FIELDS = '"sent_at_ns":1,"received_at_ns":2,"inbox_written_at_ns":3,"ack_sent_at_ns":4'

for (const { name, inner_type, sent_at_ns, payload_hex, wire_hex } of frameVectors.trace) {
  test(`[frame.trace-layout] is written and read as the original does: ${name}`, () => {
    const trace = { innerType: inner_type, sentAtNs: BigInt(sent_at_ns), payload: fromHex(payload_hex) }
    assert.equal(hex(...encodeFrame(traceToFrame(trace))), wire_hex)
    const read = readTracePayload({ type: 5, payload: fromHex(wire_hex).subarray(8) })
    assert.deepEqual({ ...read, payload: hex(read.payload) }, { ...trace, payload: payload_hex })
  })
}

test('[frame.trace-layout] a time is a signed 64-bit number', () => {
  for (const sentAtNs of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const frame = traceToFrame({ innerType: 1, sentAtNs, payload: new Uint8Array(0) })
    assert.equal(readTracePayload(frame).sentAtNs, sentAtNs)
  }
})

test('a trace whose numbers do not fit is not written', () => {
  const payload = new Uint8Array(0)
  for (const sentAtNs of [2n ** 63n, -(2n ** 63n) - 1n]) {
    assert.throws(() => traceToFrame({ innerType: 1, sentAtNs, payload }), { code: 'FRAME_INVALID' })
  }
  for (const innerType of [-1, 2 ** 32, 0.5]) {
    assert.throws(() => traceToFrame({ innerType, sentAtNs: 0n, payload }), { code: 'FRAME_INVALID' })
  }
})

test('[ack.trace-short] 12 bytes are needed', () => {
  assert.deepEqual(decodeTraceHead(new Uint8Array(12)), { innerType: 0, sentAtNs: 0n })
  for (const length of [0, 4, 11]) {
    const payload = new Uint8Array(length)
    assert.throws(() => decodeTraceHead(payload), { name: 'WireError', code: 'TRACE_TOO_SHORT' })
    assert.throws(() => readTracePayload({ type: 5, payload }), { code: 'TRACE_TOO_SHORT' })
  }
})

test('[ack.trace-fields] [ack.trace-exact] an answer has the original’s fields, integers beyond 2^53 too', () => {
  const answer = {
    sentAtNs: -9_007_199_254_740_993n,
    receivedAtNs: 1_790_000_000_123_456_789n,
    inboxWrittenAtNs: 2n ** 63n - 1n,
    ackSentAtNs: -(2n ** 63n),
    innerAck: 'ACK TEXT 5 bytes',
  }
  const json = Buffer.from(encodeTraceAnswer(answer)).toString()
  assert.equal(
    json,
    '{"sent_at_ns":-9007199254740993,"received_at_ns":1790000000123456789' +
      ',"inbox_written_at_ns":9223372036854775807,"ack_sent_at_ns":-9223372036854775808' +
      ',"inner_ack":"ACK TEXT 5 bytes"}',
  )
  assert.deepEqual(decodeTraceAnswer(json), answer)
})

test('[ack.trace-inner] numbers and quotes in the inner answer are not changed', () => {
  for (const innerAck of ['ERR TEXT save failed: "disk 1" \\ \n 2', '"', '\\', '\\"1', '', '日1']) {
    const answer = { sentAtNs: 1n, receivedAtNs: 2n, inboxWrittenAtNs: 3n, ackSentAtNs: 4n, innerAck }
    assert.deepEqual(decodeTraceAnswer(Buffer.from(encodeTraceAnswer(answer)).toString()), answer)
  }
})

test('an answer may have spaces, other fields and another order', () => {
  const json = `{ "more": [1, "2", {"3": null}], "inner_ack" : "a", ${FIELDS.replaceAll(':', ' :\n ')} }`
  assert.deepEqual(decodeTraceAnswer(json), {
    sentAtNs: 1n,
    receivedAtNs: 2n,
    inboxWrittenAtNs: 3n,
    ackSentAtNs: 4n,
    innerAck: 'a',
  })
})

for (const json of [
  '',
  'ACK TEXT 5 bytes',
  'null',
  '[]',
  '{}',
  `{${FIELDS}}`,
  `{${FIELDS},"inner_ack":null}`,
  `{${FIELDS},"inner_ack":["a"]}`,
  `{${FIELDS.replace('1', '1.5')},"inner_ack":"a"}`,
  `{${FIELDS.replace('1', 'true')},"inner_ack":"a"}`,
  `{${FIELDS.replace('1', '""')},"inner_ack":"a"}`,
  `{${FIELDS.replace('1', '"0x10"')},"inner_ack":"a"}`,
  `{${FIELDS.replace('1', '9'.repeat(400))},"inner_ack":"a"}`,
  `{${FIELDS},"inner_ack":"a"`,
]) {
  test(`is not an answer to a trace: ${json.slice(0, 90) || 'nothing'}`, () => {
    assert.throws(() => decodeTraceAnswer(json), { name: 'WireError', code: 'TRACE_ANSWER_INVALID' })
  })
}

test('a hostile answer is refused in linear time', () => {
  const started = performance.now()
  const json = `"${'\\"'.repeat(200_000)}`
  assert.throws(() => decodeTraceAnswer(json), { code: 'TRACE_ANSWER_INVALID' })
  assert.ok(performance.now() - started < 2_000)
})
