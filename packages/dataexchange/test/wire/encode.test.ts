import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_FRAME_SIZE } from '#lib/frame-limits.js'
import { encodeFrame, encodeHeader } from '#lib/wire/encode.js'
import { FrameType } from '#lib/wire/frame.js'
import { frameVectors, fromHex, hex } from '../../../../test/helpers/vectors.js'

for (const { name, type, filename, payload_hex, wire_hex } of frameVectors.encode) {
  test(`[frame.header] [frame.file-layout] [frame.bytes-exact] writes what the original writes: ${name}`, () => {
    assert.equal(hex(...encodeFrame({ type, filename, payload: fromHex(payload_hex) })), wire_hex)
  })
}

test('numbers are big-endian', () => {
  assert.equal(hex(encodeHeader({ type: 0x01020304, length: 0x0a0b0c })), '01020304000a0b0c')
})

test('the payload is not copied', () => {
  const payload = new Uint8Array(100)
  for (const type of [FrameType.Binary, FrameType.File]) {
    assert.equal(encodeFrame({ type, payload, filename: 'a' }).at(-1), payload)
  }
})

test('an empty payload adds no piece', () => {
  assert.equal(encodeFrame({ type: FrameType.Text, payload: new Uint8Array(0) }).length, 1)
})

test('a file name is written only for FILE, and is empty by default', () => {
  const payload = fromHex('ff')
  assert.equal(hex(...encodeFrame({ type: FrameType.Text, payload, filename: 'a/b' })), '0000000100000001ff')
  assert.equal(hex(...encodeFrame({ type: FrameType.File, payload })), '00000004000000030000ff')
})

test('[frame.cap-default] [frame.cap-write] a payload of 256 MiB is written, one more byte is not', () => {
  assert.equal(MAX_FRAME_SIZE, 268_435_456)
  assert.equal(hex(encodeHeader({ type: 2, length: MAX_FRAME_SIZE })), '0000000210000000')
  assert.throws(() => encodeHeader({ type: 2, length: MAX_FRAME_SIZE + 1 }), { code: 'FRAME_TOO_LARGE' })
})

test('[frame.cap-option] [frame.cap-write] the cap counts the payload, for FILE with its name', () => {
  const payload = new Uint8Array(10)
  const file = { type: FrameType.File, payload, filename: 'abc' }
  assert.equal(encodeFrame({ type: 2, payload }, { maxFrameSize: 10 }).length, 2)
  assert.throws(() => encodeFrame({ type: 2, payload }, { maxFrameSize: 9 }), { code: 'FRAME_TOO_LARGE' })
  assert.equal(encodeFrame(file, { maxFrameSize: 15 }).length, 2)
  assert.throws(() => encodeFrame(file, { maxFrameSize: 14 }), { code: 'FRAME_TOO_LARGE' })
})

test('no cap allows a length beyond 32 bits', () => {
  const options = { maxFrameSize: Number.POSITIVE_INFINITY }
  assert.equal(hex(encodeHeader({ type: 2, length: 0xffff_ffff }, options)), '00000002ffffffff')
  assert.throws(() => encodeHeader({ type: 2, length: 2 ** 32 }, options), { code: 'FRAME_TOO_LARGE' })
})

test('a type that is not a 32-bit number, or an invalid length, cannot be written', () => {
  for (const type of [-1, 1.5, 2 ** 32, Number.NaN]) {
    assert.throws(() => encodeHeader({ type, length: 0 }), { name: 'WireError', code: 'FRAME_INVALID' })
  }
  for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => encodeHeader({ type: 4, length }), { name: 'WireError', code: 'FRAME_INVALID' })
  }
})

test('the options and the frame are not changed', () => {
  const frame = Object.freeze({ type: FrameType.File, payload: new Uint8Array(1), filename: 'a' })
  encodeFrame(frame, Object.freeze({ maxFrameSize: 100 }))
})
