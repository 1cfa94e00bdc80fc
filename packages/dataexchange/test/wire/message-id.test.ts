import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkMessageId, isMessageId, newMessageId } from '#lib/wire/message-id.js'

test('[tagged.new-id] a new id is 32 lower-case hex digits, and different each time', () => {
  const ids = Array.from({ length: 1000 }, newMessageId)
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/)
  assert.equal(new Set(ids).size, ids.length)
})

test('[tagged.id-form] an id has 1 to 128 characters of a small set', () => {
  for (const id of ['a', 'Z', '0', 'a-B_c.D:9', 'x'.repeat(128), newMessageId()]) {
    assert.ok(isMessageId(id), id)
    assert.equal(checkMessageId(id), id)
  }
  for (const id of ['', 'x'.repeat(129), 'a b', 'a/b', 'é', 'a\n', '\0', 'a+b', '{}', 'a\u202e']) {
    assert.equal(isMessageId(id), false, JSON.stringify(id))
    assert.throws(() => checkMessageId(id), { code: 'MESSAGE_ID_INVALID' })
  }
})

test('the message about an invalid id is short for any id', () => {
  assert.throws(
    () => checkMessageId('x '.repeat(100_000)),
    (error: Error) => error.message.length < 300,
  )
})
