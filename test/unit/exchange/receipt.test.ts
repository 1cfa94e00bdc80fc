import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReceipt } from '#lib/exchange/receipt.js'
import { text } from '../../helpers/service-harness.ts'

test('[ack.form] an ACK is a receipt', () => {
  assert.deepEqual(readReceipt(1, text('ACK TEXT 5 bytes')), {
    type: 'TEXT',
    bytes: 5,
    duplicate: false,
    answer: 'ACK TEXT 5 bytes',
  })
})

test('[ack.duplicate-form] a duplicate is told', () => {
  assert.equal(readReceipt(4, text('ACK FILE 0 bytes (duplicate)')).duplicate, true)
})

test('[ack.err-form] an ERR is a refusal with the reason of the peer', () => {
  assert.throws(() => readReceipt(4, text('ERR FILE save failed: no space left')), {
    code: 'PEER_REFUSED',
    answer: 'ERR FILE save failed: no space left',
    message: /no space left$/,
  })
  assert.throws(() => readReceipt(5, text('ERR trace parse: too short')), { code: 'PEER_REFUSED' })
})

test('[ack.unknown-sender] both answers to an unknown type mean that nothing is stored', () => {
  for (const answer of [
    'ACK UNKNOWN(10) 20 bytes',
    'ERR UNKNOWN(10) save failed: unsupported frame type 10',
  ]) {
    assert.throws(() => readReceipt(10, text(answer)), { code: 'PEER_UNSUPPORTED', answer })
  }
})

test('an answer of another frame, or none of section 2, is invalid', () => {
  for (const answer of ['ACK FILE 5 bytes', 'OK', '', 'ACK TEXT many bytes']) {
    assert.throws(() => readReceipt(1, text(answer)), { code: 'ANSWER_INVALID' }, answer)
  }
  assert.throws(() => readReceipt(1, { type: 2, payload: Buffer.from('ACK TEXT 5 bytes') }), {
    code: 'ANSWER_INVALID',
  })
  assert.throws(() => readReceipt(1, { type: 1, payload: Buffer.from([0xff]) }), { code: 'ANSWER_INVALID' })
})

const times =
  '"sent_at_ns":1790000000123456789,"received_at_ns":1790000000123456790,"inbox_written_at_ns":1,"ack_sent_at_ns":-5'

test('[ack.trace-exact] the answer to a TRACE gives its times to the nanosecond', () => {
  const json = `{${times},"inner_ack":"ACK TEXT 2 bytes"}`
  const receipt = readReceipt(5, { type: 3, payload: Buffer.from(json) })
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
  assert.throws(() => readReceipt(5, { type: 3, payload: Buffer.from(json) }), { code: 'PEER_REFUSED' })
})
