import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  decodeSegment,
  encodeBatch,
  encodeHeader,
  type JournalEntry,
} from '#lib/mailbox/journal/journal-format.js'

const BOOT = '01234567-89ab-cdef-0123-456789abcdef'

const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter(text => !/[/\\\0]/.test(text) && text !== '.' && text !== '..')
const entry: fc.Arbitrary<JournalEntry> = fc.record({
  name,
  content: fc.uint8Array({ maxLength: 200 }),
})
const batches = fc.array(fc.array(entry, { minLength: 1, maxLength: 5 }), { maxLength: 4 })

function segment(of: readonly (readonly JournalEntry[])[]): Buffer {
  return Buffer.concat([encodeHeader(BOOT), ...of.map(encodeBatch)])
}

/** The entries in a comparable form: decoded entries are views of the segment. */
function plain(entries: readonly JournalEntry[]): [string, string][] {
  return entries.map(({ name, content }) => [name, Buffer.from(content).toString('hex')])
}

/** A batch of any bytes with a valid checksum. */
function forged(body: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(16 + body.length)
  return Buffer.concat([head, createHash('sha256').update(body).digest().subarray(0, 16), body])
}

test('entries are decoded as they were encoded, in order', () => {
  fc.assert(
    fc.property(batches, of => {
      const { boot, entries } = decodeSegment(segment(of))
      assert.equal(boot, BOOT)
      assert.deepEqual(plain(entries), plain(of.flat()))
    }),
  )
})

test('allocated blocks after the last batch are ignored', () => {
  const bytes = Buffer.concat([segment([[{ name: 'a', content: Buffer.from('x') }]]), Buffer.alloc(5_000)])
  assert.equal(decodeSegment(bytes).entries.length, 1)
})

test('cut anywhere, a segment has the whole batches before the cut and nothing else', () => {
  fc.assert(
    fc.property(batches, of => {
      const bytes = segment(of)
      const ends = of.map((_, i) => segment(of.slice(0, i + 1)).length)
      for (let cut = 0; cut < bytes.length; cut++) {
        const whole = of.slice(0, ends.filter(end => end <= cut).length).flat()
        assert.deepEqual(plain(decodeSegment(bytes.subarray(0, cut)).entries), plain(whole))
      }
    }),
    { numRuns: 20 },
  )
})

test('with any bit changed, a segment has the batches before the damage and nothing else', () => {
  const of = ['one', 'two', 'three'].map(name => [{ name, content: Buffer.from(`of ${name}`) }])
  const bytes = segment(of)
  const ends = [encodeHeader(BOOT).length, ...of.map((_, i) => segment(of.slice(0, i + 1)).length)]
  for (let at = ends[0] ?? 0; at < bytes.length; at++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at)
      const whole = of.slice(0, ends.filter(end => end <= at).length - 1).flat()
      assert.deepEqual(plain(decodeSegment(bytes).entries), plain(whole))
      bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at)
    }
  }
})

test('random bytes, also after a valid header, give no entries and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, withHeader) => {
      const { entries } = decodeSegment(withHeader ? Buffer.concat([encodeHeader(BOOT), bytes]) : bytes)
      assert.deepEqual(entries, [])
    }),
  )
  assert.deepEqual(decodeSegment(Buffer.from('pilot-dataexchange journal 2 x\n')), { boot: '', entries: [] })
})

test('an invalid batch with a valid checksum never throws; the batches before it are decoded', () => {
  const first = [{ name: 'a', content: Buffer.from('x') }]
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), body => {
      const { entries } = decodeSegment(Buffer.concat([segment([first]), forged(body)]))
      assert.deepEqual(plain(entries.slice(0, 1)), plain(first))
    }),
    { numRuns: 1_000 },
  )
})

test('wrong lengths take no memory', () => {
  const lies = [0, 1, 15, 16, 17, 0x7fff_ffff, 0xffff_ffff]
  const before = process.memoryUsage().arrayBuffers
  for (const lie of lies) {
    const head = Buffer.alloc(64)
    head.writeUInt32BE(lie)
    assert.deepEqual(decodeSegment(Buffer.concat([encodeHeader(BOOT), head])).entries, [])
  }
  for (const length of [5, 0x7fff_ffff, 0xffff_fffe]) {
    const body = Buffer.from([0, 1, 0x61, 0, 0, 0, 0, 1, 2, 3, 4])
    body.writeUInt32BE(length, 3)
    assert.deepEqual(decodeSegment(Buffer.concat([encodeHeader(BOOT), forged(body)])).entries, [])
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000)
})

test('names that lead out of the folder are rejected', () => {
  for (const name of ['', '.', '..', '../a', 'a/b', '/a', 'a\\b', 'a\0b']) {
    const bytes = segment([[{ name, content: Buffer.from('x') }]])
    assert.deepEqual(decodeSegment(bytes).entries, [], JSON.stringify(name))
  }
})
