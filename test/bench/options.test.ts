import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readOptions } from '../../bench/options.ts'

test('sizes are bytes, with or without a unit', () => {
  const { sizes } = readOptions(['--size', '100', '--size', '64KiB', '--size', '1 GiB'])
  assert.deepEqual(sizes, [100, 65_536, 2 ** 30])
})

test('a quick run is shorter, unless it is told how long', () => {
  assert.ok(readOptions(['--quick']).seconds < readOptions([]).seconds)
  assert.equal(readOptions(['--quick', '--duration', '3']).seconds, 3)
  assert.ok(readOptions(['--quick']).rounds < readOptions([]).rounds)
})

test('a value that is not a number, or would run for ever, is refused', () => {
  assert.throws(() => readOptions(['--duration', 'soon']), RangeError)
  assert.throws(() => readOptions(['--duration', '1e9']), RangeError)
  assert.throws(() => readOptions(['--rounds', '0']), RangeError)
  assert.throws(() => readOptions(['--size', '3 apples']), RangeError)
  assert.throws(() => readOptions(['--no-such']), TypeError)
})
