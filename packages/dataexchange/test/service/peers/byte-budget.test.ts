import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteBudget } from '#lib/service/peers/byte-budget.js'

test('bytes are available until the budget is used up; it is tight from half of it on', () => {
  const budget = new ByteBudget(100)
  budget.hold(49)
  assert.deepEqual([budget.isAvailable, budget.isTight], [true, false])
  budget.hold(1)
  assert.deepEqual([budget.isAvailable, budget.isTight], [true, true])
  budget.hold(70)
  assert.equal(budget.isAvailable, false)
  budget.release(21)
  assert.deepEqual([budget.isAvailable, budget.used], [true, 99])
})

test('a child budget charges its parent, and is unavailable while the parent is', () => {
  const all = new ByteBudget(100)
  const one = new ByteBudget(60, all)
  const other = new ByteBudget(60, all)
  one.hold(60)
  assert.deepEqual([one.isAvailable, other.isAvailable, other.isTight], [false, true, true])
  other.hold(40)
  assert.equal(other.isAvailable, false)
  one.release(60)
  assert.equal(other.isAvailable, true)
})

test('listeners are called when bytes are available again, in the child or in the parent', () => {
  const all = new ByteBudget(100)
  const one = new ByteBudget(60, all)
  let told = 0
  const forget = one.onAvailable(() => told++)
  one.hold(60)
  one.release(1)
  assert.equal(told, 1)
  const other = new ByteBudget(60, all)
  other.hold(50)
  other.release(50)
  assert.equal(told, 2)
  forget()
  one.hold(41)
  one.release(100)
  assert.equal(told, 2)
})
