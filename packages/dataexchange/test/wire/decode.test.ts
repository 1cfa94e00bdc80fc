import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireError } from '#lib/errors.js'
import { MAX_FRAME_SIZE } from '#lib/frame-limits.js'
import { type DecodeOptions, type Frame, FrameDecoder } from '#lib/wire/index.js'
import { evaluate } from '../../../../test/helpers/child.js'
import { expectedOf, frameVectors, fromHex, hex, plain } from '../../../../test/helpers/vectors.js'

const TEXT_HI = '00000001000000026869'
const TOO_LARGE = '0000000220000000'

for (const vector of frameVectors.decode) {
  const bytes = fromHex(vector.wire_hex)
  test(`[frame.split] [frame.truncated] reads what the original reads, whole, in two and in bytes: ${vector.name}`, () => {
    const expected = expectedOf(vector)
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.deepEqual(outcome([bytes.subarray(0, cut), bytes.subarray(cut)]), expected, `cut at ${cut}`)
    }
    assert.deepEqual(outcome([...bytes].map(byte => Uint8Array.of(byte))), expected)
  })
}

test('[frame.file-name-length] [frame.file-name-utf8] [frame.file-name-separators] [frame.file-name-dots] the vectors hold each kind of name', () => {
  const reasons = new Set(frameVectors.decode.map(({ reason }) => reason))
  for (const reason of [
    'filename_too_long',
    'filename_unsafe',
    'filename_utf8',
    'too_large',
    'truncated',
    'end',
  ]) {
    assert.ok(reasons.has(reason), reason)
  }
})

test('[frame.unknown-whole] [frame.json-opaque] [frame.bytes-exact] payloads are not inspected', () => {
  const unknown = decodeAll([fromHex('0000004d00000002fffe')])
  assert.deepEqual(unknown.map(plain), [{ type: 77, filename: '', payload: 'fffe' }])
  const json = decodeAll([fromHex('00000003000000027b22')])
  assert.deepEqual(json.map(plain), [{ type: 3, filename: '', payload: '7b22' }])
})

test('[frame.file-empty-name] [frame.file-short] [frame.file-lying-name] an empty name differs from no name', () => {
  const [empty, short, lying] = decodeAll([
    fromHex('000000040000000300007800000004000000010900000004000000020001'),
  ])
  assert.deepEqual([empty?.filename, hex(empty!.payload)], ['', '78'])
  assert.deepEqual([short?.filename, hex(short!.payload)], [undefined, '09'])
  assert.deepEqual([lying?.filename, hex(lying!.payload)], [undefined, '0001'])
})

test('[frame.sequence] a chunk with many frames returns all of them in order', () => {
  const wire = frameVectors.encode.map(({ wire_hex }) => wire_hex).join('')
  const frames = decodeAll([fromHex(wire)])
  assert.deepEqual(
    frames.map(({ type, payload }) => [type, hex(payload)]),
    frameVectors.encode.map(({ type, payload_hex }) => [type, payload_hex]),
  )
})

test('[frame.clean-end] a stream without a byte ends cleanly', () => {
  const decoder = new FrameDecoder()
  decoder.finish()
  assert.equal(decoder.state, 'ended')
})

test('[frame.cap-default] [frame.cap-early] 256 MiB may be declared, a byte more may not', () => {
  assert.deepEqual(new FrameDecoder().push(fromHex('0000000210000000')), [])
  assert.throws(() => new FrameDecoder().push(fromHex('0000000210000001')), { code: 'FRAME_TOO_LARGE' })
  assert.equal(MAX_FRAME_SIZE, 0x1000_0000)
})

test('[frame.cap-option] the cap counts the payload, for FILE with its name', () => {
  const file = fromHex('00000004000000050001617879')
  assert.equal(decodeAll([file], { maxFrameSize: 5 }).length, 1)
  assert.throws(() => decodeAll([file], { maxFrameSize: 4 }), { code: 'FRAME_TOO_LARGE' })
})

test('frames before an error in a chunk are returned; the next push throws the error', () => {
  const decoder = new FrameDecoder()
  assert.deepEqual(decoder.push(fromHex(TEXT_HI + TEXT_HI + TOO_LARGE)).map(plain), [
    { type: 1, filename: '', payload: '6869' },
    { type: 1, filename: '', payload: '6869' },
  ])
  assert.equal(decoder.state, 'failed')
  assert.throws(() => decoder.push(fromHex(TEXT_HI)), { name: 'WireError', code: 'FRAME_TOO_LARGE' })
  assert.throws(() => decoder.push(fromHex(TEXT_HI)), { name: 'WireError', code: 'DECODER_FAILED' })
})

test('finish throws the error if nothing else is pushed', () => {
  const decoder = new FrameDecoder()
  assert.equal(decoder.push(fromHex(TEXT_HI + TOO_LARGE)).length, 1)
  assert.throws(() => decoder.finish(), { code: 'FRAME_TOO_LARGE' })
})

test('an error without a frame before it is thrown at once', () => {
  const decoder = new FrameDecoder()
  assert.throws(() => decoder.push(fromHex(TOO_LARGE)), { code: 'FRAME_TOO_LARGE' })
  assert.throws(() => decoder.push(fromHex('00')), { code: 'DECODER_FAILED' })
})

test('a payload that is complete in one chunk is a view of it; otherwise it is a copy', () => {
  const chunk = fromHex(TEXT_HI)
  assert.equal(new FrameDecoder().push(chunk)[0]?.payload.buffer, chunk.buffer)
  const [split] = decodeAll([chunk.subarray(0, 9), chunk.subarray(9)])
  assert.notEqual(split?.payload.buffer, chunk.buffer)
})

test('a returned frame is not changed by later pushes', () => {
  const decoder = new FrameDecoder()
  decoder.push(fromHex('000000010000000261'))
  const [first] = decoder.push(fromHex('62'))
  decoder.push(fromHex('000000010000000278'))
  decoder.push(fromHex('79'))
  assert.equal(hex(first!.payload), '6162')
})

test('[frame.file-lying-name] a frame that is only a name length that does not fit is not changed either', () => {
  const wire = fromHex(`00000004000000020001${TEXT_HI}`)
  const [lying, text] = decodeAll([...wire].map(byte => Uint8Array.of(byte)))
  assert.deepEqual([hex(lying!.payload), hex(text!.payload)], ['0001', '6869'])
})

test('[frame.no-reserve] a header that declares 256 MiB reserves no memory', async () => {
  const grown = await memoryGrowth(`
    const decoders = []
    for (let i = 0; i < 50; i++) {
      const decoder = new FrameDecoder()
      decoder.push(Uint8Array.of(0, 0, 0, 2, 0x10, 0, 0, 0, 1))
      decoders.push(decoder)
    }
    keep(decoders)`)
  assert.ok(grown < 16, `${grown} MiB for 50 headers and a byte each`)
})

test('[frame.no-reserve] a payload in single bytes costs little more than its size', async () => {
  const grown = await memoryGrowth(`
    const decoder = new FrameDecoder()
    decoder.push(Uint8Array.of(0, 0, 0, 2, 0x10, 0, 0, 0))
    for (let i = 0; i < 1 << 20; i++) decoder.push(new Uint8Array(1))
    keep(decoder)`)
  assert.ok(grown < 8, `${grown} MiB for 1 MiB in single bytes`)
})

test('[frame.no-reserve] a payload of alternating long and short pieces costs little more than its size', async () => {
  const grown = await memoryGrowth(`
    const decoder = new FrameDecoder()
    decoder.push(Uint8Array.of(0, 0, 0, 2, 0x10, 0, 0, 0))
    for (let i = 0; i < 16 * 1024; i++) {
      decoder.push(new Uint8Array(1))
      decoder.push(new Uint8Array(1024))
    }
    keep(decoder)`)
  assert.ok(grown < 40, `${grown} MiB for 16 MiB in pieces of 1 and 1,024 bytes`)
})

/** Returns the result of the chunks: the only frame, the code of the error, or null for a clean end without a frame. */
function outcome(chunks: Uint8Array[]): object | string | null {
  try {
    const frames = decodeAll(chunks)
    assert.ok(frames.length <= 1)
    return frames[0] === undefined ? null : plain(frames[0])
  } catch (error) {
    if (error instanceof WireError) return error.code
    throw error
  }
}

function decodeAll(chunks: Uint8Array[], options?: DecodeOptions): Frame[] {
  const decoder = new FrameDecoder(options)
  const frames = chunks.flatMap(chunk => decoder.push(chunk))
  decoder.finish()
  return frames
}

/** MiB of heap and buffers that what `body` keeps takes, in a process of its own. */
async function memoryGrowth(body: string): Promise<number> {
  const used = await evaluate(
    `import { FrameDecoder } from ${JSON.stringify(import.meta.resolve('#lib/wire/index.js'))}
    let kept
    const keep = value => { kept = value }
    const used = () => {
      gc()
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    new FrameDecoder().push(new Uint8Array(8))
    const before = used();
    (() => {${body}})()
    console.log(JSON.stringify({ bytes: used() - before, kept: kept !== undefined }))`,
    '--expose-gc',
  )
  return (used as { bytes: number }).bytes / 2 ** 20
}
