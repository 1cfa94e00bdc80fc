import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeFrame } from '#lib/wire/encode.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import {
  decodeTaggedHead,
  encodeTaggedHeader,
  readTaggedPayload,
  taggedHeaderLength,
} from '#lib/wire/tagged.js'
import { hex } from '../../../../test/helpers/vectors.js'

/** A TAGGED frame's payload of its parts. */
function payloadOf(header: string, innerType: number, inner = ''): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(Buffer.byteLength(header))
  const type = Buffer.alloc(4)
  type.writeUInt32BE(innerType)
  return Buffer.concat([head, Buffer.from(header), type, Buffer.from(inner)])
}

function read(header: string, innerType = 1) {
  const { innerType: type, payload, ...ids } = readTaggedPayload(tagged(payloadOf(header, innerType, 'in')))
  assert.equal(type, innerType)
  assert.equal(Buffer.from(payload).toString(), 'in')
  return ids
}

function tagged(payload: Uint8Array): Frame {
  return { type: FrameType.Tagged, payload }
}

test('[tagged.layout] is written as header length, header, inner type and inner payload', () => {
  const text = encodeTaggedHeader({ type: 1, length: 5 }, { messageId: 'a1', replyTo: 'b2' })
  const json = '{"message_id":"a1","reply_to":"b2"}'
  const payload = payloadOf(json, 1)
  assert.equal(hex(text), `0000000a${hex(Buffer.from([0, 0, 0, payload.length + 5]))}${hex(payload)}`)

  const file = encodeTaggedHeader({ type: 4, filename: 'n.txt', length: 3 }, { messageId: 'a1' })
  const inner = payloadOf('{"message_id":"a1"}', 4, '\0\x05n.txt')
  assert.equal(hex(file), `0000000a${hex(Buffer.from([0, 0, 0, inner.length + 3]))}${hex(inner)}`)
})

test('[tagged.header-keys] both ids are read if present, and other keys are ignored', () => {
  assert.deepEqual(read('{"message_id":"a","reply_to":"b"}'), { messageId: 'a', replyTo: 'b' })
  assert.deepEqual(read('{"reply_to":"b","x":[{"message_id":"c"}],"y":null}'), { replyTo: 'b' })
  assert.deepEqual(read(' {} '), {})
})

test('[tagged.empty-id] a null or empty id counts as absent', () => {
  assert.deepEqual(read('{"message_id":null,"reply_to":""}'), {})
})

test('[tagged.malformed] an invalid header, inner type or id is an error', () => {
  const invalid = [
    Buffer.alloc(0),
    Buffer.alloc(1),
    payloadOf('', 1),
    payloadOf(`{"x":"${'x'.repeat(1017)}"}`, 1),
    payloadOf('{"message_id":"a"}', 1).subarray(0, 10),
    payloadOf('{"message_id":"a"}', 1).subarray(0, 23),
    payloadOf('[]', 1),
    payloadOf('null', 1),
    payloadOf('"a"', 1),
    payloadOf('{"message_id":"a"', 1),
    payloadOf('{"message_id":7}', 1),
    payloadOf('{"reply_to":{}}', 1),
    payloadOf('{}', FrameType.Tagged),
    Buffer.concat([Buffer.from([0, 2]), Buffer.from([0xff, 0xfe]), Buffer.alloc(4)]),
  ]
  for (const payload of invalid) {
    assert.throws(() => readTaggedPayload(tagged(payload)), { code: 'TAGGED_INVALID' }, hex(payload))
  }
  for (const id of ['a b', 'x'.repeat(129), 'é']) {
    const payload = payloadOf(JSON.stringify({ message_id: id }), 1)
    assert.throws(() => readTaggedPayload(tagged(payload)), { code: 'MESSAGE_ID_INVALID' }, id)
  }
})

test('[tagged.header-length] a header has 1 to 1,024 bytes', () => {
  const longest = `{"x":"${'x'.repeat(1016)}"}`
  assert.equal(Buffer.byteLength(longest), 1024)
  assert.deepEqual(read(longest), {})
  assert.equal(taggedHeaderLength(Buffer.from([4, 0])), 1024)
  assert.throws(() => taggedHeaderLength(Buffer.from([4, 1])), { code: 'TAGGED_INVALID' })
  assert.throws(() => taggedHeaderLength(Buffer.from([0, 0])), { code: 'TAGGED_INVALID' })
})

test('[tagged.untagged] a frame without either id is written untagged', () => {
  for (const head of [
    { type: 1, length: 9 },
    { type: 4, filename: 'x', length: 0 },
  ]) {
    const plain = encodeFrame({ ...head, payload: new Uint8Array(head.length) })[0] as Uint8Array
    assert.equal(hex(encodeTaggedHeader(head, {})), hex(plain))
  }
})

test('[tagged.inner-type] an inner TAGGED frame and an invalid id are not written', () => {
  assert.throws(() => encodeTaggedHeader({ type: 10, length: 0 }, { messageId: 'a' }), {
    code: 'TAGGED_INVALID',
  })
  assert.throws(() => encodeTaggedHeader({ type: 2 ** 32, length: 0 }, { messageId: 'a' }), {
    code: 'TAGGED_INVALID',
  })
  assert.throws(() => encodeTaggedHeader({ type: 1, length: 0 }, { replyTo: '' }), {
    code: 'MESSAGE_ID_INVALID',
  })
})

test('[tagged.cap] the whole wrapped frame must fit the cap', () => {
  const head = { type: 1, length: 100 }
  const wrapped = 100 + 2 + '{"message_id":"a"}'.length + 4
  const header = encodeTaggedHeader(head, { messageId: 'a' }, { maxFrameSize: wrapped })
  assert.equal(Buffer.from(header).readUInt32BE(4), wrapped)
  assert.throws(() => encodeTaggedHeader(head, { messageId: 'a' }, { maxFrameSize: wrapped - 1 }), {
    code: 'FRAME_TOO_LARGE',
  })
})

test('[tagged.layout] any ids, type and payload are read as they were written', () => {
  const id = fc.option(fc.stringMatching(/^[A-Za-z0-9\-_.:]{1,128}$/), { nil: undefined })
  const type = fc.integer({ min: 0, max: 2 ** 32 - 1 }).filter(n => n !== 10 && n !== 4)
  fc.assert(
    fc.property(id, id, type, fc.uint8Array({ maxLength: 50 }), (messageId, replyTo, innerType, payload) => {
      fc.pre(messageId !== undefined || replyTo !== undefined)
      const ids = { ...(messageId && { messageId }), ...(replyTo && { replyTo }) }
      const header = encodeTaggedHeader({ type: innerType, length: payload.length }, ids)
      const whole = Buffer.concat([header.subarray(8), payload])
      const back = readTaggedPayload(tagged(whole))
      assert.deepEqual({ ...back, payload: hex(back.payload) }, { ...ids, innerType, payload: hex(payload) })
      const length = taggedHeaderLength(whole)
      assert.deepEqual(decodeTaggedHead(whole.subarray(2), length), { ...ids, innerType })
    }),
  )
})
