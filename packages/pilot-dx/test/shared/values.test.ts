import assert from 'node:assert/strict'
import { test } from 'node:test'
import { count, duration, moment, orOff, part, positiveDuration, size } from '#cli/shared/values.js'

test('durations are read with their units', () => {
  const cases: [string, number][] = [
    ['500ms', 500],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['0s', 0],
  ]
  for (const [text, ms] of cases) assert.equal(duration(text), ms, text)
})

test('an invalid duration is refused, a bare number with a hint on units', () => {
  for (const text of ['', ' ', '-5s', '5x', '5 s', 'soon', '1h30', '5s later', '1e3s', '1M', '∞']) {
    assert.throws(() => duration(text), /90s, 15m/, text)
  }
  for (const text of ['30', '1.5', '0']) assert.throws(() => duration(text), /Say the unit/, text)
  assert.throws(() => positiveDuration('0s'), /more than zero/)
})

test('a moment is so long ago, or a time with its zone', () => {
  const before = Date.now() - 3_600_000
  const hourAgo = moment('1h')
  assert.ok(hourAgo >= before && hourAgo <= Date.now() - 3_600_000)
  assert.equal(moment('2026-01-31T12:00:00Z'), Date.UTC(2026, 0, 31, 12))
  assert.equal(moment('2026-01-31T12:00:00.250+01:00'), Date.UTC(2026, 0, 31, 11, 0, 0, 250))
  for (const text of ['2026-01-31', '2026-01-31T12:00:00', '2026-13-31T12:00:00Z', '2026-01-31 12:00:00Z']) {
    assert.throws(() => moment(text), /2026-01-31T12:00:00Z/, text)
  }
})

test('sizes are read in bytes, in decimal and in binary units', () => {
  const cases: [string, number][] = [
    ['1', 1],
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['1.5GiB', 1_610_612_736],
    ['10 MB', 10_000_000],
    ['1kb', 1000],
  ]
  for (const [text, bytes] of cases) assert.equal(size(text), bytes, text)
  for (const text of ['0', '', '-1', '1e9', 'MiB', '1TiB', '0x10', '1K']) {
    assert.throws(() => size(text), /64MiB/, text)
  }
})

test('off means no limit, and counts have a minimum', () => {
  assert.equal(orOff(size)('off'), -1)
  assert.equal(orOff(size)('1KiB'), 1024)
  assert.equal(count(0)('0'), 0)
  for (const text of ['0', '-1', '1.5', 'x', '', '9999999999'])
    assert.throws(() => count(1)(text), /1 or more/, text)
})

test('a part is over 0 and at most 1', () => {
  assert.deepEqual(['0.2', '.5', '1', '1.0'].map(part), [0.2, 0.5, 1, 1])
  for (const text of ['0', '1.1', '2', '-0.5', '20%', '', 'x']) {
    assert.throws(() => part(text), /such as 0\.2/, text)
  }
})
