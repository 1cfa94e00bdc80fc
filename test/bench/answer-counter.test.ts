import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerCounter } from '../../bench/answer-counter.ts'

const ANSWERS = Buffer.concat(['ACK TEXT 100 bytes', 'ACK FILE 5 bytes', 'ACK X'].map(frame))

test('answers are counted however they are split', () => {
  for (let size = 1; size <= ANSWERS.length; size++) {
    const counter = new AnswerCounter()
    let count = 0
    for (let at = 0; at < ANSWERS.length; at += size) count += counter.push(ANSWERS.subarray(at, at + size))
    assert.equal(count, 3, `in pieces of ${size}`)
  }
})

test('an answer that is not an ACK ends the measurement', () => {
  assert.throws(() => new AnswerCounter().push(frame('ERR TEXT save failed: full')), /ERR TEXT/)
})

function frame(text: string): Buffer {
  const bytes = Buffer.alloc(8 + text.length)
  bytes.writeUInt32BE(1, 0)
  bytes.writeUInt32BE(text.length, 4)
  bytes.write(text, 8)
  return bytes
}
