import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapedLength, escapeJson } from '#lib/mailbox/inbox/json-escape.js'
import { cutAtCodePoint, lossyUtf8 } from '#lib/mailbox/inbox/lossy-utf8.js'
import { Utf8Check } from '#lib/mailbox/inbox/utf8-check.js'
import { goText } from '../../helpers/temp-mailbox.js'

const bad = '\uFFFD'
const TABLE: [hex: string, text: string][] = [
  ['', ''],
  ['41', 'A'],
  ['c328', `${bad}(`],
  ['e282', bad + bad],
  ['e28241', `${bad}${bad}A`],
  ['eda080', bad + bad + bad],
  ['edbfbf', bad + bad + bad],
  ['ed9fbf', '\uD7FF'],
  ['efbbbf41', '\uFEFFA'],
  ['c080', bad + bad],
  ['c1bf', bad + bad],
  ['e08080', bad + bad + bad],
  ['e0a080', '\u0800'],
  ['f0808080', bad.repeat(4)],
  ['f0908080', '\u{10000}'],
  ['f48fbfbf', '\u{10FFFF}'],
  ['f4908080', bad.repeat(4)],
  ['f5808080', bad.repeat(4)],
  ['f09f98', bad.repeat(3)],
  ['f09f9880', '😀'],
  ['80', bad],
  ['ff', bad],
  ['c3a9ffc3a9', `é${bad}é`],
  ['efbfbd', bad],
]

for (const [hex, text] of TABLE) {
  test(`lossy text of ${hex || 'nothing'}`, () => {
    assert.equal(Buffer.from(lossyUtf8(Buffer.from(hex, 'hex'))).toString('utf8'), text)
    assert.equal(goText(Buffer.from(hex, 'hex')), text)
  })
}

/** Bytes that are almost UTF-8. */
const nearText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }).map(text => Buffer.from(text)),
      fc.uint8Array({ maxLength: 3 }),
      fc.constantFrom('f09f98', 'e282', 'c3', 'eda080', '80', 'f4908080').map(hex => Buffer.from(hex, 'hex')),
    ),
    { maxLength: 12 },
  )
  .map(parts => Buffer.concat(parts))

test('lossy text equals the conversion in Go of any bytes', () => {
  fc.assert(
    fc.property(nearText, bytes => {
      const lossy = lossyUtf8(bytes)
      assert.equal(Buffer.from(lossy).toString('utf8'), goText(bytes))
      if (isUtf8(bytes)) assert.deepEqual(Buffer.from(lossy), bytes)
    }),
    { numRuns: 1000 },
  )
})

test('a cut never splits a code point, and drops less than one', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.integer({ min: 0, max: 40 }),
      (text, max) => {
        const bytes = Buffer.from(text)
        const cut = cutAtCodePoint(bytes, max)
        assert.ok(isUtf8(cut) && cut.length <= max)
        assert.ok(cut.length === bytes.length || max - cut.length < 4)
      },
    ),
  )
})

test('validity is found however the bytes are cut into pieces', () => {
  fc.assert(
    fc.property(nearText, fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1 }), (bytes, sizes) => {
      const check = new Utf8Check()
      for (let at = 0, i = 0; at < bytes.length; i++) {
        // A size of zero gives an empty piece. The additional one guarantees progress.
        const size = [...sizes, 1][i % (sizes.length + 1)]!
        check.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.equal(check.valid, isUtf8(bytes))
    }),
    { numRuns: 2000 },
  )
})

test('JSON.parse reads escaped text back', () => {
  const all = Buffer.from(String.fromCodePoint(...Array(0x300).keys()))
  assert.equal(JSON.parse(`"${Buffer.from(escapeJson(all))}"`), all.toString())
  assert.equal(escapeJson(all).length, escapedLength(all))
  assert.equal(
    Buffer.from(escapeJson(Buffer.from('"\\\n\u0001\u007fé'))).toString(),
    '\\"\\\\\\n\\u0001\u007fé',
  )
  const plain = Buffer.from('nothing to escape: é')
  assert.equal(escapeJson(plain), plain)
})
