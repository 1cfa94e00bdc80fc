import assert from 'node:assert/strict'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { test } from 'node:test'
import { bootId, isSameBoot } from '#lib/disk/boot-id.js'
import { otherBootId } from '../../../../test/helpers/other-boot.js'

test('one boot has one id', () => {
  assert.equal(bootId(), bootId())
  assert.ok(isSameBoot(bootId(), bootId()))
  assert.ok(!isSameBoot(bootId(), otherBootId()))
  assert.ok(!isSameBoot(bootId(), ''))
})

test('without an id of the system, it is the time of the boot, with a tolerance for the clock', t => {
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
