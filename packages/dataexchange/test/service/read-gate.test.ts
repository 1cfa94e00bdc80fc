import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ReadGate } from '#lib/service/read-gate.js'

/** Records whether the promise has resolved. */
function watch(promise: Promise<void>): { isResolved: boolean } {
  const state = { isResolved: false }
  void promise.then(() => {
    state.isResolved = true
  })
  return state
}

test('the gate opens when the last obstacle is gone', async () => {
  const gate = new ReadGate()
  gate.report('answers', true)
  gate.report('transfers', true)
  const opened = watch(gate.opened())
  gate.report('answers', false)
  await turn()
  assert.deepEqual([gate.isOpen, opened.isResolved], [false, false])
  gate.report('transfers', false)
  await turn()
  assert.deepEqual([gate.isOpen, opened.isResolved], [true, true])
})

test('an obstacle that is reported twice is one obstacle', () => {
  const gate = new ReadGate()
  gate.report('answers', true)
  gate.report('answers', true)
  gate.report('answers', false)
  assert.equal(gate.isOpen, true)
})

test('an unblocked gate stays open, and its pauses continue', async () => {
  const gate = new ReadGate()
  gate.report('answers', true)
  const pause = gate.pause(500)
  const paused = watch(pause)
  gate.unblock()
  gate.report('transfers', true)
  await turn()
  assert.deepEqual([gate.isOpen, paused.isResolved], [true, false])
  await pause
})

test('a release ends a pause', async () => {
  const gate = new ReadGate()
  const paused = watch(gate.pause(60_000))
  gate.release()
  await turn()
  assert.equal(paused.isResolved, true)
})
