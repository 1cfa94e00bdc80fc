import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERROR_CODES } from '#lib/error-codes.js'
import * as errors from '#lib/errors.js'
import { PilotError } from '#lib/errors.js'

const classes: Record<string, unknown> = { ...errors }
const entries = Object.entries(ERROR_CODES)

for (const [code, entry] of entries) {
  test(`${code} has a class, a meaning of one sentence and a short text for peers`, () => {
    assert.match(code, /^[A-Z0-9]+(_[A-Z0-9]+)*$/)
    const owner = classes[entry.class]
    assert.ok(typeof owner === 'function' && owner.prototype instanceof PilotError, entry.class)
    assert.match(entry.meaning, /^(the|a|an|two|one|bytes|what|no) [^\n]{15,}[^.\s]$/)
    assert.doesNotMatch(entry.meaning, /\. [A-Z]/)
    if (entry.toPeer !== null) assert.match(entry.toPeer, /^[a-zA-Z0-9 -]{5,60}$/)
  })
}

test('no two codes share a meaning or a text for peers', () => {
  const meanings = entries.map(([, { meaning }]) => meaning)
  const texts = entries.map(([, { toPeer }]) => toPeer).filter(text => text !== null)
  assert.equal(new Set(meanings).size, meanings.length)
  assert.equal(new Set(texts).size, texts.length)
})

test('every error class carries codes, and every code has a class', () => {
  const carriers = new Set(entries.map(([, entry]) => entry.class))
  const exported = Object.keys(classes).filter(name => Object.getPrototypeOf(classes[name]) === PilotError)
  assert.deepEqual([...carriers].sort(), exported.sort())
})
