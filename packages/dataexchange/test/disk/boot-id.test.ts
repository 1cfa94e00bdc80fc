import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { bootId, isSameBoot } from '#lib/disk/boot-id.js'
import { otherBootId } from '../../../../test/helpers/other-boot.js'

test('one boot has one name', () => {
  assert.equal(bootId(), bootId())
  assert.ok(isSameBoot(bootId(), bootId()))
  assert.ok(!isSameBoot(bootId(), otherBootId()))
  assert.ok(!isSameBoot(bootId(), ''))
})

test('where the system gives none, it is when the machine was started, give or take what clocks do', t => {
  t.mock.method(fs, 'readFileSync', () => {
    throw new Error('no /proc')
  })
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  const [, seconds] = /^began-(\d+)$/.exec(bootId()) ?? []
  assert.ok(Number(seconds) < Date.now() / 1000)
  assert.ok(isSameBoot(bootId(), bootId()))
  assert.ok(isSameBoot(`began-${seconds}`, `began-${Number(seconds) + 2}`))
  assert.ok(!isSameBoot(`began-${seconds}`, `began-${Number(seconds) + 3}`))
  assert.ok(!isSameBoot(`began-${seconds}`, 'began-'))
  assert.ok(!isSameBoot(`began-${seconds}`, 'something else'))
})
