import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileTimestamp, rfc3339, wallClockNs } from '#lib/clock.js'

const AT = 1_767_225_599_007_008_009n // 2025-12-31T23:59:59.007008009Z

function inZone(zone: string): { rfc: string; stamp: string; old: string } {
  const code = `
    import { rfc3339, fileTimestamp } from ${JSON.stringify(import.meta.resolve('#lib/clock.js'))}
    console.log(JSON.stringify({ rfc: rfc3339(${AT}n), stamp: fileTimestamp(${AT}n), old: rfc3339(0n) }))`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, TZ: zone },
    encoding: 'utf8',
  })
  assert.equal(child.status, 0, child.stderr)
  return JSON.parse(child.stdout)
}

test('times are local, with the offset of the zone', () => {
  assert.deepEqual(inZone('UTC'), {
    rfc: '2025-12-31T23:59:59.007008009Z',
    stamp: '20251231-235959.007',
    old: '1970-01-01T00:00:00.000000000Z',
  })
  assert.deepEqual(inZone('Asia/Kolkata'), {
    rfc: '2026-01-01T05:29:59.007008009+05:30',
    stamp: '20260101-052959.007',
    old: '1970-01-01T05:30:00.000000000+05:30',
  })
  assert.equal(inZone('America/St_Johns').rfc, '2025-12-31T20:29:59.007008009-03:30')
})

test('the wall clock follows the system clock, is never behind it, is finer than a millisecond, and does not repeat', () => {
  // Over several milliseconds, so that some readings come just after the system's clock has gone on.
  for (const end = performance.now() + 20; performance.now() < end; ) {
    const before = BigInt(Date.now()) * 1_000_000n
    const now = wallClockNs()
    const after = BigInt(Date.now() + 2) * 1_000_000n
    assert.ok(now >= before && now <= after, `${before} <= ${now} <= ${after}`)
  }
  const readings = new Set(Array.from({ length: 100 }, () => wallClockNs() % 1_000_000n))
  assert.ok(readings.size > 50, `${readings.size} different fractions`)
})

test('the wall clock follows changes of the system clock', t => {
  const real = Date.now()
  for (const now of [real + 10 * 365 * 86_400_000, real - 7_200_000, real]) {
    t.mock.method(Date, 'now', () => now)
    const read = wallClockNs()
    assert.ok(Math.abs(Number(read / 1_000_000n) - now) <= 2)
    t.mock.restoreAll()
  }
})

test('both texts parse back to the same instant', () => {
  const now = wallClockNs()
  assert.equal(Date.parse(rfc3339(now)), Number(now / 1_000_000n))
  assert.match(rfc3339(now), /\.\d{9}(Z|[+-]\d\d:\d\d)$/)
  assert.match(fileTimestamp(now), /^\d{8}-\d{6}\.\d{3}$/)
})
