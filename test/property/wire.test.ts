import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WireError } from '#lib/errors.js'
import {
  ackText,
  decodeTraceAnswer,
  encodeFrame,
  encodeTraceAnswer,
  errText,
  type Frame,
  FrameDecoder,
  parseAnswer,
  readTracePayload,
  traceErrText,
  traceToFrame,
  typeName,
  unsupportedText,
} from '#lib/wire/index.js'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const payload = fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 6_000, size: 'max' }))
const fileName = fc
  .string({ unit: 'grapheme', maxLength: 80 })
  .filter(name => name !== '.' && name !== '..' && !/[/\\]/.test(name) && Buffer.byteLength(name) <= 255)
const file = fc.record({ type: fc.constant(4), payload, filename: fileName })
const other = fc.record({ type: u32.filter(type => type !== 4), payload })
const frames = fc.array(fc.oneof(other, file), { maxLength: 8 })
const cuts = fc.array(fc.nat(), { maxLength: 12 })

test('[frame.split] [frame.sequence] [frame.bytes-exact] frames come out as they went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(frames, cuts, (sent, at) => {
      const wire = Buffer.concat(sent.flatMap(frame => encodeFrame(frame)))
      const decoder = new FrameDecoder()
      const got = split(wire, at).flatMap(chunk => decoder.push(chunk))
      decoder.finish()
      assert.deepEqual(got.map(comparable), sent.map(comparable))
    }),
  )
})

test('[frame.truncated] a cut inside a frame is an error', () => {
  fc.assert(
    fc.property(fc.oneof(other, file), fc.nat(), (frame, nat) => {
      const wire = Buffer.concat(encodeFrame(frame))
      const decoder = new FrameDecoder()
      assert.deepEqual(decoder.push(wire.subarray(0, 1 + (nat % (wire.length - 1)))), [])
      assert.throws(() => decoder.finish(), { code: 'FRAME_TRUNCATED' })
    }),
  )
})

test('random bytes give frames or a WireError, and the same ones however they are cut', () => {
  const hostile = fc.oneof(fc.uint8Array({ maxLength: 200 }), plausible())
  fc.assert(
    fc.property(hostile, cuts, (bytes, at) => {
      assert.deepEqual(readAll(split(bytes, at)), readAll([bytes]))
    }),
    { numRuns: 2_000 },
  )
})

test('what was read from random bytes is written as it came, where it has its name', () => {
  fc.assert(
    fc.property(plausible(), bytes => {
      const { frames: read } = readAll([bytes])
      if (read.some(({ type, filename }) => type === 4 && filename === undefined)) return
      const wire = Buffer.concat(read.flatMap(frame => encodeFrame(frame)))
      assert.ok(wire.equals(Buffer.from(bytes.subarray(0, wire.length))))
    }),
    { numRuns: 500 },
  )
})

test('[frame.trace-layout] a trace comes out as it went in', () => {
  fc.assert(
    fc.property(u32, i64, payload, (innerType, sentAtNs, bytes) => {
      const trace = { innerType, sentAtNs, payload: bytes }
      assert.deepEqual(readTracePayload(traceToFrame(trace)), trace)
    }),
  )
})

test('[ack.trace-exact] [ack.trace-inner] the answer to a trace comes out as it went in', () => {
  const innerAck = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.json())
  const answer = fc.tuple(i64, i64, i64, i64, innerAck)
  fc.assert(
    fc.property(answer, ([sentAtNs, receivedAtNs, inboxWrittenAtNs, ackSentAtNs, innerAck]) => {
      const sent = { sentAtNs, receivedAtNs, inboxWrittenAtNs, ackSentAtNs, innerAck }
      assert.deepEqual(decodeTraceAnswer(Buffer.from(encodeTraceAnswer(sent)).toString()), sent)
    }),
  )
})

test('the answer to a trace, broken in any way, gives timestamps or a WireError', () => {
  const text = fc.oneof(fc.string(), fc.json(), brokenAnswer())
  fc.assert(
    fc.property(text, json => {
      try {
        assert.equal(typeof decodeTraceAnswer(json).sentAtNs, 'bigint')
      } catch (error) {
        assert.ok(error instanceof WireError, String(error))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('[ack.form] [ack.err-form] [ack.unknown-sender] an answer is read as what it was written for', () => {
  fc.assert(
    fc.property(u32, fc.nat(), fc.string(), (type, bytes, why) => {
      const known = !typeName(type).startsWith('UNKNOWN')
      const ack = parseAnswer(ackText(type, bytes))
      assert.equal(ack.kind, known ? 'ack' : 'unsupported')
      if (ack.kind === 'ack')
        assert.deepEqual([ack.name, ack.bytes, ack.duplicate], [typeName(type), bytes, false])
      const err = parseAnswer(errText(type, why))
      assert.equal(err.kind, known ? 'err' : 'unsupported')
      if (err.kind === 'err') assert.equal(err.reason, why)
      assert.equal(parseAnswer(unsupportedText(type)).kind, 'unsupported')
      assert.equal(parseAnswer(traceErrText(why)).kind, 'err')
    }),
  )
})

test('[ack.duplicate-form] an answer given again is read as given again', () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 3, 4), fc.nat(), (type, bytes) => {
      const answer = parseAnswer(`${ackText(type, bytes)} (duplicate)`)
      assert.ok(answer.kind === 'ack' && answer.duplicate && answer.bytes === bytes)
    }),
  )
})

test('any text is read as some answer', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), text => {
      assert.equal(parseAnswer(text).text, text)
    }),
  )
})

/** Streams that look like frames: true headers, small lengths that may lie, FILE more often than by chance. */
function plausible(): fc.Arbitrary<Uint8Array> {
  const part = fc
    .tuple(
      fc.constantFrom(0, 1, 2, 4, 4, 4, 5, 10),
      fc.nat({ max: 20 }),
      fc.nat({ max: 8 }),
      fc.uint8Array({ maxLength: 20 }),
    )
    .map(([type, length, nameLength, bytes]) => {
      const body = type === 4 ? [0, nameLength, ...bytes] : [...bytes]
      return Uint8Array.from([0, 0, 0, type, 0, 0, 0, length, ...body])
    })
  return fc.array(part, { maxLength: 5 }).map(parts => Uint8Array.from(parts.flatMap(bytes => [...bytes])))
}

function brokenAnswer(): fc.Arbitrary<string> {
  const whole = Buffer.from(
    encodeTraceAnswer({
      sentAtNs: 1n,
      receivedAtNs: -2n,
      inboxWrittenAtNs: 3n,
      ackSentAtNs: 4n,
      innerAck: 'a"b',
    }),
  ).toString()
  return fc
    .tuple(fc.nat({ max: whole.length }), fc.nat({ max: 5 }), fc.string({ maxLength: 5 }))
    .map(([at, drop, insert]) => whole.slice(0, at) + insert + whole.slice(at + drop))
}

/** All that comes of the chunks: frames, then how it ended. */
function readAll(chunks: Uint8Array[]): { frames: Frame[]; end: string } {
  const decoder = new FrameDecoder()
  const read: Frame[] = []
  try {
    for (const chunk of chunks) read.push(...decoder.push(chunk))
    decoder.finish()
    return { frames: read.map(comparable), end: 'clean' }
  } catch (error) {
    assert.ok(error instanceof WireError, String(error))
    return { frames: read.map(comparable), end: error.code }
  }
}

function split(bytes: Uint8Array, at: number[]): Uint8Array[] {
  const ends = [...at.map(nat => nat % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

/** A copy whose payload compares by its bytes alone. */
function comparable(frame: Frame): Frame {
  return { ...frame, payload: Uint8Array.from(frame.payload) }
}
