import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteCollector, concat, decodeUtf8, isU32, utf8, viewOf } from '#lib/bytes.js'
import { fromHex, hex } from '../../../test/helpers/vectors.js'

test('text becomes UTF-8 and comes back', () => {
  for (const text of ['', 'a', 'é', '日本', '😀', '\0', '\ufeffa']) assert.equal(decodeUtf8(utf8(text)), text)
  assert.equal(hex(utf8('é😀')), 'c3a9f09f9880')
})

test('bytes that are not UTF-8 decode to undefined and do not affect the next call', () => {
  for (const bytes of ['ff', '61c3', 'c080', 'eda080', 'f4908080', '80']) {
    assert.equal(decodeUtf8(fromHex(bytes)), undefined, bytes)
    assert.equal(decodeUtf8(fromHex('61')), 'a')
  }
})

test('a byte order mark is kept', () => {
  assert.equal(decodeUtf8(fromHex('efbbbf61')), '\ufeffa')
  assert.equal(decodeUtf8(fromHex('efbbbf')), '\ufeff')
})

test('a lone surrogate becomes U+FFFD', () => {
  assert.equal(hex(utf8('\ud800')), 'efbfbd')
})

test('a view covers the bytes of its array, not its whole buffer', () => {
  const view = viewOf(fromHex('0001020304').subarray(1, 3))
  assert.equal(view.byteLength, 2)
  assert.equal(view.getUint16(0), 0x0102)
})

test('a u32 is a whole number of 32 bits', () => {
  for (const value of [0, 1, 0xffff_ffff]) assert.equal(isU32(value), true)
  for (const value of [-1, 0.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY])
    assert.equal(isU32(value), false)
})

test('parts are concatenated, a single part is not copied', () => {
  const part = fromHex('01')
  assert.equal(concat([part]), part)
  assert.equal(hex(concat([part, fromHex(''), fromHex('0203')])), '010203')
  assert.equal(concat([]).length, 0)
})

test('a collector returns all bytes in order, for pieces of any size', () => {
  const lengths = [0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 3 * 4096 + 5]
  for (const first of lengths) {
    for (const second of lengths) {
      for (const third of lengths) {
        const pieces = [first, second, third].map((length, i) => new Uint8Array(length).fill(i + 1))
        const collector = new ByteCollector()
        for (const piece of pieces) collector.append(piece)
        assert.ok(Buffer.concat(pieces).equals(collector.take()), `${first}, ${second}, ${third}`)
      }
    }
  }
})

test('a collector is empty after take and can be reused', () => {
  const collector = new ByteCollector()
  assert.equal(collector.take().length, 0)
  collector.append(fromHex('0102'))
  assert.equal(hex(collector.take()), '0102')
  collector.append(fromHex('03'))
  assert.equal(hex(collector.take()), '03')
  assert.equal(collector.take().length, 0)
})

test('a single large piece is not copied, small pieces are', () => {
  const collector = new ByteCollector()
  const large = new Uint8Array(1024)
  collector.append(large)
  assert.equal(collector.take(), large)
  const small = fromHex('01')
  collector.append(small)
  small[0] = 9
  assert.equal(hex(collector.take()), '01')
})

test('collectors with a known size share memory without overlap', () => {
  const lengths = [0, 1, 2, 63, 64, 65, 300, 1000, 1023, 1024, 1025, 3000]
  const contents = [...lengths, ...lengths, ...lengths].map((length, i) => new Uint8Array(length).fill(i + 1))
  const collectors = contents.map(() => new ByteCollector())
  // Turn by turn, in pieces of many sizes.
  for (let at = 0, turn = 1; at < 3000; at += turn, turn += 7) {
    contents.forEach((content, i) => {
      if (at < content.length) collectors[i]?.append(content.subarray(at, at + turn), content.length)
    })
  }
  collectors.forEach((collector, i) => {
    const content = contents[i] ?? new Uint8Array(0)
    assert.equal(collector.length, content.length)
    assert.deepEqual(collector.take(), content)
    assert.equal(collector.length, 0)
  })
})

test('a collector accepts more and fewer bytes than announced', () => {
  const collector = new ByteCollector()
  for (const byte of [1, 2, 3, 4, 5]) collector.append(Uint8Array.of(byte), 3)
  assert.deepEqual(collector.take(), Uint8Array.of(1, 2, 3, 4, 5))
  collector.append(Uint8Array.of(6), 100)
  assert.deepEqual(collector.take(), Uint8Array.of(6))
})
