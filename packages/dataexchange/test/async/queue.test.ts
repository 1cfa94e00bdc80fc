import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fifo } from '#lib/async/queue.js'

test('a queue keeps order and length over many pushes and shifts', () => {
  const fifo = new Fifo<number>([0, 1])
  let next = 2
  let expected = 0
  for (let i = 0; i < 10_000; i++) {
    fifo.push(next++)
    if (i % 3 !== 0) assert.equal(fifo.shift(), expected++)
    assert.equal(fifo.length, next - expected)
  }
  assert.deepEqual(
    fifo.toArray(),
    Array.from({ length: next - expected }, (_, i) => expected + i),
  )
  while (fifo.length > 0) assert.equal(fifo.shift(), expected++)
  assert.equal(fifo.shift(), undefined)
})
