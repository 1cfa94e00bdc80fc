import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireError } from '#lib/errors.js'
import type { Payload } from '#lib/mailbox/mailbox.js'
import { drainPayload, isCutOff, splitPayload } from '#lib/service/payload.js'

async function* pieces(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

async function toText(payload: Payload): Promise<string> {
  if (payload instanceof Uint8Array) return Buffer.from(payload).toString()
  const parts: Uint8Array[] = []
  for await (const piece of payload) parts.push(piece)
  return Buffer.concat(parts).toString()
}

test('a payload is split at the same place whole and in pieces', async () => {
  const shapes: (() => Payload)[] = [
    () => Buffer.from('abcdef'),
    () => pieces('abcdef'),
    () => pieces('a', 'b', 'cde', 'f'),
    () => pieces('abc', 'def'),
  ]
  for (const shape of shapes) {
    const [head, rest] = await splitPayload(shape(), 3)
    assert.equal(Buffer.from(head).toString(), 'abc')
    assert.equal(await toText(rest), 'def')
  }
})

test('a payload that is too short yields all its bytes', async () => {
  for (const payload of [Buffer.from('ab'), pieces('a', 'b')]) {
    const [head, rest] = await splitPayload(payload, 3)
    assert.equal(Buffer.from(head).toString(), 'ab')
    assert.equal(await toText(rest), '')
  }
})

test('leaving the rest unread closes the source', async () => {
  let released = false
  async function* source() {
    try {
      yield Buffer.from('abc')
      yield Buffer.from('def')
    } finally {
      released = true
    }
  }
  const [, rest] = await splitPayload(source(), 1)
  for await (const _ of rest as AsyncIterable<Uint8Array>) break
  assert.equal(released, true)
})

test('isCutOff is true only for a payload that was cut off', async () => {
  async function* broken() {
    yield Buffer.from('a')
    throw new WireError('FRAME_TRUNCATED', 'cut')
  }
  const error = await drainPayload(broken()).catch(error => error)
  assert.equal(isCutOff(error), true)
  assert.equal(isCutOff(new WireError('FRAME_INVALID', '')), false)
})
