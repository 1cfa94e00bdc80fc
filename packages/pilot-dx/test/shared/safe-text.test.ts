import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeJsonText, safeBlock, safeJson, safeLine, shorten } from '#cli/shared/safe-text.js'

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

test('control, bidi and invisible characters become escapes', () => {
  assert.equal(
    safeLine('a\x1b[2J\n\t\r\x9b\u202e\u200b\ufeff\u2028é🙂'),
    'a\\x1b[2J\\n\\t\\r\\x9b\\u{202e}\\u{200b}\\u{feff}\\u{2028}é🙂',
  )
  assert.equal(safeBlock('a\n\tb\r\x07'), 'a\n\tb\\r\\x07')
})

test('nothing unsafe is left of any text, and JSON means the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      assert.doesNotMatch(safeLine(text), UNSAFE)
      assert.doesNotMatch(safeJson({ text }), UNSAFE)
      assert.deepEqual(JSON.parse(safeJson({ text })), { text })
    }),
  )
})

test('lines of JSON stay lines', () => {
  assert.equal(escapeJsonText('{"a":"\u009b"}\n'), '{"a":"\\u009b"}\n')
})

test('texts are cut between code points', () => {
  assert.equal(shorten('🙂🙂🙂', 3), '🙂🙂🙂')
  assert.equal(shorten('🙂🙂🙂', 2), '🙂🙂…')
  assert.equal(shorten('', 2), '')
})
