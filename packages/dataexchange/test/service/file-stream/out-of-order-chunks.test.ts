import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutOfOrderChunks, TRANSFER_HELD } from '#lib/service/file-stream/out-of-order-chunks.js'
import { ByteBudget } from '#lib/service/peers/byte-budget.js'

const bytes = (text: string) => Buffer.from(text)

test('chunks are taken when the cursor reaches them, without the bytes before it', () => {
  const held = new OutOfOrderChunks(new ByteBudget(1e9))
  assert.ok(held.add(10, bytes('klm')))
  assert.ok(held.add(5, bytes('fgh')))
  assert.ok(held.add(1, bytes('bc')))
  assert.equal(held.take(4)?.toString(), undefined)
  assert.equal(Buffer.from(held.take(6) ?? []).toString(), 'gh')
  assert.equal(held.take(8), undefined)
  assert.equal(Buffer.from(held.take(10) ?? []).toString(), 'klm')
  assert.equal(held.take(13), undefined)
})

test('the longer of two chunks at one offset is kept', () => {
  const held = new OutOfOrderChunks(new ByteBudget(1e9))
  for (const text of ['ab', 'abcd', 'abc']) assert.ok(held.add(3, bytes(text)))
  assert.equal(Buffer.from(held.take(3) ?? []).toString(), 'abcd')
  assert.equal(held.take(3), undefined)
})

test('chunks are copied', () => {
  const held = new OutOfOrderChunks(new ByteBudget(1e9))
  const source = bytes('abc')
  held.add(0, source)
  source.fill(0)
  assert.equal(Buffer.from(held.take(0) ?? []).toString(), 'abc')
})

test('chunks count into the budget until they are taken, dropped or cleared', () => {
  const budget = new ByteBudget(1e9)
  const held = new OutOfOrderChunks(budget)
  held.add(5, Buffer.alloc(100))
  held.add(5, Buffer.alloc(200))
  held.add(900, Buffer.alloc(50))
  assert.ok(budget.used >= 250)
  held.take(205)
  assert.ok(budget.used >= 50 && budget.used < 2000)
  held.clear()
  assert.equal(budget.used, 0)
})

test('chunks over the limit are refused', () => {
  const budget = new ByteBudget(1e9)
  const held = new OutOfOrderChunks(budget)
  let at = 1
  while (held.add(at, Buffer.alloc(48 * 1024))) at += 48 * 1024
  assert.equal((at - 1) / (48 * 1024), 15)
  assert.ok(budget.used <= TRANSFER_HELD)
  assert.ok(held.add(at, Buffer.alloc(1024)))
})
