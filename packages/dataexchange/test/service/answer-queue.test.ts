import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerQueue } from '#lib/service/answer-queue.js'
import { FrameDecoder } from '#lib/wire/decode.js'
import { textOf } from '../../../../test/helpers/service-harness.ts'

type WriteCallback = (error?: Error | null) => void

function queue() {
  const decoder = new FrameDecoder()
  const writes: string[][] = []
  const callbacks: WriteCallback[] = []
  const written: { types: number[]; error?: Error | null }[] = []
  const full: boolean[] = []
  const answers = new AnswerQueue({
    write: (bytes, callback) => {
      writes.push(decoder.push(bytes).map(textOf))
      callbacks.push(callback)
    },
    onWritten: (types, error) => written.push({ types, error }),
    onFull: isFull => full.push(isFull),
  })
  return { answers, writes, callbacks, written, full }
}

test('[ack.order] answers are written in the order of the frames, not in the order in which they become ready', () => {
  const { answers, writes, callbacks } = queue()
  const [first, second, third] = [answers.reserve(1), answers.reserve(2), answers.reserve(3)]
  third('c')
  assert.deepEqual(writes, [])
  first('a')
  second('b')
  // Only one write is pending at a time: the two later answers are written together.
  assert.deepEqual(writes, [['a']])
  callbacks[0]?.()
  assert.deepEqual(writes, [['a'], ['b', 'c']])
})

test('an answer given as a function is made when it is written', () => {
  const { answers, writes } = queue()
  let made = 0
  const [first, second] = [answers.reserve(1), answers.reserve(5)]
  second(() => {
    made++
    return { type: 3, payload: Buffer.from('{}') }
  })
  assert.equal(made, 0)
  first('a')
  assert.equal(made, 1)
  assert.deepEqual(writes, [['a', '{}']])
})

test('bytes are unread until their write has ended; a failed write reports the types of its frames', () => {
  const { answers, callbacks, written } = queue()
  answers.reserve(1)('abc')
  assert.equal(answers.unread, 8 + 3)
  const error = new Error('gone')
  callbacks[0]?.(error)
  assert.equal(answers.unread, 0)
  assert.deepEqual(written, [{ types: [1], error }])
})

test('finish writes the collected answers without waiting for the pending write', () => {
  const { answers, writes, callbacks, written } = queue()
  answers.reserve(1)('a')
  answers.reserve(2)('b')
  answers.reserve(3)('c')
  answers.finish()
  assert.deepEqual(writes, [['a'], ['b', 'c']])
  for (const callback of callbacks) callback()
  assert.deepEqual(
    written.map(({ types }) => types),
    [[1], [2, 3]],
  )
  assert.equal(answers.unread, 0)
})

test('an answer in parts keeps its place until its last part; each part reports its write', () => {
  const { answers, writes, callbacks } = queue()
  const [first, second] = [answers.reserve(6), answers.reserve(1)]
  const told: string[] = []
  second('b', { onWritten: () => told.push('b') })
  first('a1', { isLast: false, onWritten: () => told.push('a1') })
  assert.deepEqual(writes, [['a1']])
  callbacks[0]?.()
  assert.deepEqual([writes.length, told], [1, ['a1']])
  first('a2', { onWritten: () => told.push('a2') })
  assert.deepEqual(writes[1], ['a2', 'b'])
  callbacks[1]?.()
  assert.deepEqual(told, ['a1', 'a2', 'b'])
})

test('a frame without an answer does not delay later answers and reports no write', () => {
  const { answers, writes, callbacks, written } = queue()
  const [first, second, third] = [answers.reserve(7), answers.reserve(7), answers.reserve(1)]
  third('c')
  second(null)
  assert.deepEqual(writes, [])
  first(null)
  assert.deepEqual(writes, [['c']])
  callbacks[0]?.()
  assert.deepEqual(
    written.map(({ types }) => types),
    [[1]],
  )
})

test('the queue is full at 256 KiB of unread answers, until their write has ended', () => {
  const { answers, callbacks, full } = queue()
  answers.reserve(1)('x'.repeat(200 * 1024))
  answers.reserve(1)('x'.repeat(55 * 1024))
  assert.deepEqual(full, [])
  answers.reserve(1)('x'.repeat(1024))
  assert.deepEqual(full, [true])
  callbacks[0]?.()
  assert.deepEqual(full, [true, false])
})
