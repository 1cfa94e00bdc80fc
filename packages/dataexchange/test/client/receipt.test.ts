import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReceipt, sentIn } from '#lib/client/receipt.js'
import { traceToFrame } from '#lib/wire/trace.js'
import { text } from '../../../../test/helpers/service-harness.ts'

/** A frame of `type` with `bytes` bytes. */
function sent(type: number, bytes: number) {
  return sentIn({ head: { type, length: bytes }, payload: new Uint8Array(bytes), close: async () => {} })
}

/** A TRACE around `payload`. */
function traced(innerType: number, payload: Uint8Array) {
  const frame = traceToFrame({ sentAtNs: 0n, innerType, payload })
  return sentIn({
    head: { type: 5, length: frame.payload.length },
    payload: frame.payload,
    close: async () => {},
  })
}

test('[ack.form] an ACK is a receipt', () => {
  assert.deepEqual(readReceipt(sent(1, 5), text('ACK TEXT 5 bytes')), {
    type: 'TEXT',
    size: 5,
    duplicate: false,
    answer: 'ACK TEXT 5 bytes',
  })
})

test('[ack.duplicate-form] a duplicate is told', () => {
  assert.equal(readReceipt(sent(4, 0), text('ACK FILE 0 bytes (duplicate)')).duplicate, true)
})

test('[ack.err-form] an ERR is a refusal with the reason of the peer', () => {
  assert.throws(() => readReceipt(sent(4, 0), text('ERR FILE save failed: no space left')), {
    code: 'PEER_REFUSED',
    answer: 'ERR FILE save failed: no space left',
    message: /no space left$/,
  })
  assert.throws(() => readReceipt(sent(99, 0), text('ERR trace parse: too short')), { code: 'PEER_REFUSED' })
})

test('[ack.unknown-sender] both answers to an unknown type mean that nothing is stored', () => {
  for (const answer of [
    'ACK UNKNOWN(10) 20 bytes',
    'ERR UNKNOWN(10) save failed: unsupported frame type 10',
  ]) {
    assert.throws(() => readReceipt(sent(10, 20), text(answer)), { code: 'PEER_UNSUPPORTED', answer })
  }
})

test('an answer of another frame, or none of section 2, is invalid', () => {
  for (const answer of ['ACK FILE 5 bytes', 'OK', '', 'ACK TEXT many bytes']) {
    assert.throws(() => readReceipt(sent(1, 5), text(answer)), { code: 'ANSWER_INVALID' }, answer)
  }
  assert.throws(() => readReceipt(sent(1, 5), { type: 2, payload: Buffer.from('ACK TEXT 5 bytes') }), {
    code: 'ANSWER_INVALID',
  })
  assert.throws(() => readReceipt(sent(1, 5), { type: 1, payload: Buffer.from([0xff]) }), {
    code: 'ANSWER_INVALID',
  })
})

const times =
  '"sent_at_ns":1790000000123456789,"received_at_ns":1790000000123456790,"inbox_written_at_ns":1,"ack_sent_at_ns":-5'

test('[ack.trace-exact] the answer to a TRACE gives its times to the nanosecond', () => {
  const json = `{${times},"inner_ack":"ACK TEXT 2 bytes"}`
  const receipt = readReceipt(traced(1, Buffer.from('ab')), { type: 3, payload: Buffer.from(json) })
  assert.equal(receipt.type, 'TEXT')
  assert.deepEqual(receipt.trace, {
    sentAtNs: 1790000000123456789n,
    receivedAtNs: 1790000000123456790n,
    inboxWrittenAtNs: 1n,
    ackSentAtNs: -5n,
    innerAck: 'ACK TEXT 2 bytes',
  })
})

test('[ack.trace-inner] a TRACE whose inner frame was not stored is a refusal', () => {
  const json = `{${times},"inner_ack":"ERR TEXT save failed: inbox full"}`
  assert.throws(() => readReceipt(traced(1, Buffer.from('ab')), { type: 3, payload: Buffer.from(json) }), {
    code: 'PEER_REFUSED',
  })
})

test('[ack.count-checked] an ACK for another number of bytes is invalid', () => {
  assert.throws(() => readReceipt(sent(1, 5), text('ACK TEXT 4 bytes')), {
    code: 'ANSWER_INVALID',
    answer: 'ACK TEXT 4 bytes',
    message: /^5 bytes were sent/,
  })
})

test('[ack.count-checked] inside a TRACE the payload counts, and of a FILE the original counts the name too', () => {
  const answer = (ack: string) => ({ type: 3, payload: Buffer.from(`{${times},"inner_ack":"${ack}"}`) })
  const file = traced(4, Buffer.from('\0\x05a.txtdata'))
  assert.equal(readReceipt(file, answer('ACK FILE 4 bytes')).size, 4)
  assert.equal(readReceipt(file, answer('ACK FILE 11 bytes')).size, 11)
  for (const ack of ['ACK FILE 5 bytes', 'ACK FILE 0 bytes', 'ACK FILE 23 bytes']) {
    assert.throws(() => readReceipt(file, answer(ack)), { code: 'ANSWER_INVALID' }, ack)
  }
  assert.equal(readReceipt(traced(4, Buffer.from('x')), answer('ACK FILE 1 bytes')).size, 1)
  assert.throws(() => readReceipt(traced(1, Buffer.from('abc')), answer('ACK TEXT 15 bytes')), {
    code: 'ANSWER_INVALID',
  })
})
