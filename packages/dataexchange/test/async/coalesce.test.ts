import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { coalesce } from '#lib/async/coalesce.js'

test('calls during a run share the next run; a failed run rejects only its own callers', async () => {
  let runs = 0
  let fail = false
  const shared = coalesce(async () => {
    const run = ++runs
    const failing = fail
    await turn()
    if (failing) throw new Error(`run ${run}`)
    return run
  })
  assert.deepEqual(await Promise.all([shared(), shared()]), [1, 1])
  const first = shared()
  await Promise.resolve()
  await Promise.resolve()
  assert.equal(runs, 2)
  const late = [shared(), shared()]
  assert.deepEqual(await Promise.all([first, ...late]), [2, 3, 3])
  fail = true
  await assert.rejects(shared(), /run 4/)
  fail = false
  assert.equal(await shared(), 5)
})
