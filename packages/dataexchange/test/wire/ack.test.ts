import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ackText, errText, parseAnswer, traceErrText, unsupportedText } from '#lib/wire/ack.js'
import { FrameType } from '#lib/wire/frame.js'

test('[ack.form] ACK, the name, the count', () => {
  assert.equal(ackText(FrameType.Text, 5), 'ACK TEXT 5 bytes')
  assert.equal(ackText(FrameType.AutoAnswer, 0), 'ACK AUTOANSWER 0 bytes')
})

test('[ack.err-form] ERR, the name, save failed and why', () => {
  assert.equal(errText(FrameType.File, 'no space left'), 'ERR FILE save failed: no space left')
})

test('[ack.unknown] a type that is not stored is named by its number, known or not', () => {
  assert.equal(unsupportedText(77), 'ERR UNKNOWN(77) save failed: unsupported frame type 77')
  assert.equal(unsupportedText(7), 'ERR UNKNOWN(7) save failed: unsupported frame type 7')
})

test('[ack.trace-short] a TRACE that cannot be read has an answer of its own', () => {
  assert.equal(traceErrText('too short'), 'ERR trace parse: too short')
})

test('[ack.form] an ACK is read', () => {
  const text = 'ACK BINARY 268435456 bytes'
  const answer = { kind: 'ack', name: 'BINARY', bytes: 268_435_456, duplicate: false, text }
  assert.deepEqual(parseAnswer(text), answer)
})

test('[ack.duplicate-form] an ACK given again is read as one', () => {
  const text = 'ACK TEXT 5 bytes (duplicate)'
  assert.deepEqual(parseAnswer(text), { kind: 'ack', name: 'TEXT', bytes: 5, duplicate: true, text })
})

test('[ack.unknown-sender] both refusals of an unknown type are read as such', () => {
  for (const text of ['ACK UNKNOWN(7) 40 bytes', unsupportedText(7), 'ERR UNKNOWN(7) save failed: disk']) {
    assert.deepEqual(parseAnswer(text), { kind: 'unsupported', type: 7, text })
  }
})

test('[ack.err-form] the reason of an ERR is read, whatever its form', () => {
  const reasons: Record<string, string> = {
    'ERR TEXT save failed: no space: left': 'no space: left',
    'ERR TEXT save failed: a\nb': 'a\nb',
    'ERR trace parse: trace payload too short': 'trace parse: trace payload too short',
    'ERR something else': 'something else',
  }
  for (const [text, reason] of Object.entries(reasons)) {
    assert.deepEqual(parseAnswer(text), { kind: 'err', reason, text })
  }
})

test('any other text is not an answer, and never an ACK', () => {
  const others = [
    '',
    'ACK',
    'ACK TEXT',
    'ACK TEXT x bytes',
    'ACK TEXT -1 bytes',
    'ACK TEXT 5 bytes of it',
    'ERR',
  ]
  for (const text of [...others, ' ACK TEXT 5 bytes', 'ack TEXT 5 bytes', 'ACK TEXT 5 bytes\n', '{"a":1}']) {
    assert.deepEqual(parseAnswer(text), { kind: 'other', text })
  }
})
