import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FrameHead } from '#lib/wire/encode.js'
import { type DecodeOptions, FrameParser } from '#lib/wire/frame-parser.js'
import { fromHex, hex } from '../../../../test/helpers/vectors.js'

const FILE = '00000004 0000000a 0005 612e747874 78797a'.replaceAll(' ', '')

test('a frame is reported as start, data and end as its bytes arrive', () => {
  const { parser, seen } = recorder()
  parser.push(fromHex('00000002'))
  parser.push(fromHex('0000000301'))
  assert.deepEqual(seen, ['start 2 3', 'data 01'])
  parser.push(fromHex('0203'))
  assert.deepEqual(seen, ['start 2 3', 'data 01', 'data 0203', 'end'])
})

test('a frame without payload has no data', () => {
  const { parser, seen } = recorder()
  parser.push(fromHex('0000000300000000'))
  assert.deepEqual(seen, ['start 3 0', 'end'])
})

test('[frame.sequence] one chunk may hold the end of a frame, whole frames and the start of one', () => {
  const { parser, seen } = recorder()
  parser.push(fromHex('000000010000000261'))
  parser.push(fromHex('6200000003000000000000000200000001ff00'))
  assert.deepEqual(seen, [
    'start 1 2',
    'data 61',
    'data 62',
    'end',
    'start 3 0',
    'end',
    'start 2 1',
    'data ff',
    'end',
  ])
  assert.equal(parser.atBoundary, false)
})

test('[frame.file-layout] the head of a FILE has its name, and the length of its data alone', () => {
  const { parser, seen } = recorder()
  parser.push(fromHex(FILE))
  assert.deepEqual(seen, ['start 4 3 "a.txt"', 'data 78797a', 'end'])
})

test('[frame.file-empty-name] a FILE without name and data is complete with its length field', () => {
  const { parser, seen } = recorder()
  parser.push(fromHex('00000004000000020000'))
  assert.deepEqual(seen, ['start 4 0 ""', 'end'])
  assert.ok(parser.atBoundary)
})

test('[frame.file-lying-name] the bytes of a length that does not fit are data', () => {
  const { parser, seen } = recorder()
  parser.push(fromHex('00000004000000040003'))
  parser.push(fromHex('aabb'))
  assert.deepEqual(seen, ['start 4 4', 'data 0003', 'data aabb', 'end'])
})

test('[frame.cap-early] a length over the cap is an error at the last byte of the header', () => {
  const { parser, seen } = recorder({ maxFrameSize: 1 })
  parser.push(fromHex('00000002000000'))
  assert.throws(() => parser.push(fromHex('02')), { name: 'WireError', code: 'FRAME_TOO_LARGE' })
  assert.deepEqual(seen, [])
})

test('[frame.file-name-length] a name that is too long is an error before it has arrived', () => {
  const { parser } = recorder()
  assert.throws(() => parser.push(fromHex('00000004000001020100')), { code: 'FILENAME_TOO_LONG' })
})

test('data are views of the pushed chunk', () => {
  const chunk = fromHex(FILE)
  const pieces: Uint8Array[] = []
  new FrameParser({ start() {}, data: piece => pieces.push(piece), end() {} }).push(chunk)
  assert.equal(pieces[0]?.buffer, chunk.buffer)
})

test('wanted and state follow the bytes, and never point past a frame', () => {
  const { parser } = recorder()
  const steps: [string, number][] = []
  for (const byte of fromHex(FILE)) {
    steps.push([parser.state, parser.wanted])
    parser.push(Uint8Array.of(byte))
  }
  assert.deepEqual(steps, [
    ...countdown('header', 8),
    ...countdown('name-length', 2),
    ...countdown('name', 5),
    ...countdown('payload', 3),
  ])
  assert.deepEqual([parser.state, parser.wanted, parser.atBoundary], ['header', 8, true])
})

test('[frame.clean-end] the end at a boundary is clean, and final', () => {
  const { parser } = recorder()
  parser.push(fromHex(FILE))
  parser.finish()
  parser.finish()
  assert.equal(parser.state, 'ended')
  assert.throws(() => parser.push(fromHex('00')), { code: 'DECODER_FAILED' })
})

test('[frame.truncated] the end after any other byte is an error that names the position', () => {
  const whole = fromHex(FILE)
  for (let cut = 1; cut < whole.length; cut++) {
    const { parser } = recorder()
    parser.push(whole.subarray(0, cut))
    const where = cut < 8 ? 'header' : cut < 10 ? 'name length' : cut < 15 ? 'name' : 'payload'
    assert.throws(() => parser.finish(), {
      code: 'FRAME_TRUNCATED',
      message: `the stream ended inside a frame's ${where}`,
    })
    assert.equal(parser.state, 'failed')
  }
})

test('after an error no bytes are accepted', () => {
  const { parser } = recorder({ maxFrameSize: 0 })
  assert.throws(() => parser.push(fromHex('0000000100000001')), { code: 'FRAME_TOO_LARGE' })
  assert.throws(() => parser.push(fromHex('0000000100000000')), { code: 'DECODER_FAILED' })
  parser.finish()
  assert.equal(parser.state, 'failed')
})

test('an error of the sink fails the parser and is thrown by push', () => {
  const fault = new Error('sink')
  const parser = new FrameParser({
    start() {
      throw fault
    },
    data() {},
    end() {},
  })
  assert.throws(() => parser.push(fromHex('0000000100000000')), fault)
  assert.equal(parser.state, 'failed')
})

function recorder(options?: DecodeOptions): { parser: FrameParser; seen: string[] } {
  const seen: string[] = []
  const sink = {
    start: ({ type, length, filename }: FrameHead) => {
      seen.push(`start ${type} ${length}${filename === undefined ? '' : ` ${JSON.stringify(filename)}`}`)
    },
    data: (piece: Uint8Array) => {
      seen.push(`data ${hex(piece)}`)
    },
    end: () => {
      seen.push('end')
    },
  }
  return { parser: new FrameParser(sink, options), seen }
}

function countdown(state: string, from: number): [string, number][] {
  return Array.from({ length: from }, (_, i) => [state, from - i])
}
