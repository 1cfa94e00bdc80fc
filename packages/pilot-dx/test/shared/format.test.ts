import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressText } from '#cli/send-file/progress.js'
import { bytesText, durationText, facts, limitText, plural, table, timeText } from '#cli/shared/format.js'
import { bar, histogram, legsOf, percentile } from '#cli/shared/trace-legs.js'
import type { TransferProgress } from '#lib/client/transfer/progress.js'

test('columns are in line, numbers to the right', () => {
  assert.equal(
    table([
      ['a', 5, 'x'],
      ['long', 100, ''],
    ]),
    'a       5  x\nlong  100',
  )
  assert.equal(
    facts([
      ['name', 'x'],
      ['', 'y'],
    ]),
    'name:  x\n       y',
  )
  assert.equal(table([]), '')
})

test('bytes, durations, times and counts are for a person', () => {
  assert.equal(bytesText(1536), '1.5 KiB')
  assert.equal(bytesText(Number.POSITIVE_INFINITY), 'no limit')
  assert.equal(durationText(300), '0s')
  assert.equal(durationText(61_000), '1m 1s')
  assert.equal(durationText(3_600_000), '1h')
  assert.equal(durationText(2 * 86_400_000 + 3_600_000 + 60_000), '2d 1h')
  assert.equal(timeText(new Date(2026, 0, 5, 7, 8, 9).getTime()), '2026-01-05 07:08:09')
  assert.equal(plural(1, 'file'), '1 file')
  assert.equal(plural(0, 'file'), '0 files')
})

test('a limit is told exactly', () => {
  assert.equal(limitText({ value: 768 * 1024, unit: 'bytes' }), '768 KiB')
  assert.equal(limitText({ value: 2 ** 31, unit: 'bytes' }), '2 GiB')
  assert.equal(limitText({ value: 1025, unit: 'bytes' }), '1025 bytes')
  assert.equal(limitText({ value: 1_500, unit: 'ms' }), '1.5 s')
  assert.equal(limitText({ value: 50, unit: 'ms' }), '50 ms')
  assert.equal(limitText({ value: 10_000, unit: 'count' }), '10,000')
  assert.equal(limitText({ value: 0.25, unit: 'part' }), '25 %')
  assert.equal(limitText({ value: Number.POSITIVE_INFINITY, unit: 'bytes' }), 'none')
})

test('progress tells share, bytes, rate and what is left', () => {
  const MiB = 1024 ** 2
  const state: TransferProgress = {
    phase: 'hashing',
    total: 8 * MiB,
    bytesDone: 0,
    bytesSent: 0,
    bytesResumed: 0,
    bytesPerSecond: 0,
    etaMs: undefined,
    reconnects: 0,
  }
  const line = (change: Partial<TransferProgress>) => progressText('f', { ...state, ...change })
  const half = { bytesDone: 2 * MiB, bytesPerSecond: 2 * MiB }
  const drawn = '█████░░░░░░░░░░░░░░░ 25 %  2 MiB of 8 MiB'
  assert.equal(line({}), 'f  reading 8 MiB')
  assert.equal(line({ phase: 'connecting' }), 'f  connecting')
  assert.equal(line({ phase: 'sending', ...half, etaMs: 2_400 }), `f  ${drawn}, 2 MiB/s, 3s left`)
  assert.equal(line({ phase: 'sending', ...half }), `f  ${drawn}, 2 MiB/s`)
  assert.equal(
    line({ phase: 'connecting', ...half, reconnects: 1 }),
    `f  ${drawn}, connection lost, connecting again`,
  )
  assert.equal(
    line({ phase: 'finishing', bytesDone: 8 * MiB, bytesPerSecond: MiB }),
    'f  ████████████████████ 100 %  8 MiB of 8 MiB, 1 MiB/s, waiting for the answer',
  )
  assert.match(line({ phase: 'sending', total: 0 }), /█ 100 % {2}0 B of 0 B/)
})

test('percentiles go by nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  assert.deepEqual(
    [0, 0.5, 0.9, 0.99, 1].map(share => percentile(values, share)),
    [1, 50, 90, 99, 100],
  )
  assert.equal(percentile([7], 0.5), 7)
})

test('a histogram counts every value once', () => {
  const buckets = histogram([0, 1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(
    buckets.map(({ count }) => count),
    [1, 1, 1, 1, 1, 1, 1, 2],
  )
  assert.deepEqual(histogram([3, 3]), [{ from: 3, to: 3, count: 2 }])
  assert.equal(bar(1, 3), '███')
  assert.equal(bar(0.5, 3), '█▌')
  assert.equal(bar(0, 3), '')
})

test('a histogram takes as many values as there may be probes', () => {
  const values = Array.from({ length: 300_000 }, (_, i) => i)
  assert.deepEqual(
    histogram(values, 2).map(({ from, count }) => [from, count]),
    [
      [0, 150_000],
      [149_999.5, 150_000],
    ],
  )
})

test('legs add up to the total, also where clocks differ', () => {
  const trace = {
    sentAtNs: 1_000_000_000n,
    receivedAtNs: 999_000_000n,
    inboxWrittenAtNs: 1_000_500_000n,
    ackSentAtNs: 1_001_000_000n,
    innerAck: '',
  }
  assert.deepEqual(legsOf(trace, 1_005_000_000n), {
    to_receiver_ms: -1,
    receiver_process_ms: 2,
    return_trip_ms: 4,
    total_ms: 5,
  })
})
