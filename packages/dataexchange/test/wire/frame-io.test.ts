import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough, Readable, type Stream, Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import {
  type Frame,
  FrameType,
  readFrame,
  writeFrame,
  writeFrameFrom,
  writeTraceFrame,
} from '#lib/wire/index.js'
import { socketPair } from '../../../../test/helpers/sockets.js'
import { expectedOf, frameVectors, fromHex, hex, plain } from '../../../../test/helpers/vectors.js'

const HI: Frame = { type: FrameType.Text, payload: fromHex('6869') }

for (const vector of frameVectors.decode) {
  test(`[frame.split] readFrame reads what the original reads: ${vector.name}`, async () => {
    const bytes = fromHex(vector.wire_hex)
    for (const size of [1, 7, Math.max(1, bytes.length)]) {
      const stream = Readable.from(chunksOf(bytes, size), { objectMode: false })
      assert.deepEqual(await outcome(readFrame(stream)), expectedOf(vector), `chunks of ${size}`)
    }
  })
}

test('[frame.header] [frame.bytes-exact] writeFrame writes what the original writes', async () => {
  for (const { name, type, filename, payload_hex, wire_hex } of frameVectors.encode) {
    const sink = new PassThrough()
    await writeFrame(sink, { type, filename, payload: fromHex(payload_hex) })
    assert.equal(hex(readAll(sink)), wire_hex, name)
  }
})

test('[frame.trace-layout] writeTraceFrame writes what the original writes', async () => {
  for (const { name, inner_type, sent_at_ns, payload_hex, wire_hex } of frameVectors.trace) {
    const sink = new PassThrough()
    await writeTraceFrame(sink, {
      innerType: inner_type,
      sentAtNs: BigInt(sent_at_ns),
      payload: fromHex(payload_hex),
    })
    assert.equal(hex(readAll(sink)), wire_hex, name)
  }
})

for (const [name, pair] of Object.entries({ 'a Unix socket': socketPair, 'a PassThrough': passThrough })) {
  test(`[frame.sequence] [frame.clean-end] frames go over ${name}, then a clean end`, async t => {
    const [near, far] = await pair(t)
    const sent = frameVectors.encode.map(({ type, filename, payload_hex }) => ({
      type,
      filename,
      payload: fromHex(payload_hex),
    }))
    const writing = (async () => {
      for (const frame of sent) await writeFrame(near, frame)
      near.end()
    })()
    for (const frame of sent) assert.deepEqual(plain((await readFrame(far))!), plain(frame))
    assert.equal(await readFrame(far), null)
    assert.equal(await readFrame(far), null)
    await writing
  })

  test(`a frame larger than every buffer goes over ${name}`, async t => {
    const [near, far] = await pair(t)
    const payload = new Uint8Array(3 * 1024 * 1024 + 1).map((_, i) => i % 251)
    const writing = writeFrame(near, { type: FrameType.Binary, payload })
    const frame = await readFrame(far)
    await writing
    assert.ok(Buffer.from(payload).equals(frame!.payload))
  })

  test(`[frame.truncated] the end of ${name} inside a frame is an error`, async t => {
    const [near, far] = await pair(t)
    near.end(fromHex('0000000100000003aa'))
    await assert.rejects(readFrame(far), { name: 'WireError', code: 'FRAME_TRUNCATED' })
  })

  test(`[frame.truncated] ${name} destroyed inside a frame is an error`, async t => {
    const [near, far] = await pair(t)
    const reading = readFrame(far)
    near.write(fromHex('0000000100000003aa'))
    await once(far, 'readable')
    far.destroy()
    await assert.rejects(reading, { code: 'FRAME_TRUNCATED' })
  })
}

test('[frame.sequence] readers take turns: not a byte after a frame is taken', async t => {
  const [near, far] = await socketPair(t)
  const name = { type: FrameType.File, payload: fromHex('78'), filename: 'n' }
  for (const frame of [HI, name, { ...HI, payload: new Uint8Array(0) }]) await writeFrame(near, frame)
  near.end(fromHex('aabbcc'))
  for (const expected of ['6869', '78', '']) assert.equal(hex((await readFrame(far))!.payload), expected)
  const rest: Uint8Array[] = []
  for await (const chunk of far) rest.push(chunk)
  assert.equal(hex(...rest), 'aabbcc')
})

test('[frame.cap-early] [frame.cap-option] a length over the cap is an error before its payload', async () => {
  const stream = new PassThrough()
  stream.write(fromHex('0000000200000005'))
  await assert.rejects(readFrame(stream, { maxFrameSize: 4 }), { code: 'FRAME_TOO_LARGE' })
})

test('a failed stream rejects the reader with its own error, also later', async () => {
  const stream = new PassThrough()
  const reading = readFrame(stream)
  const fault = new Error('cable')
  stream.destroy(fault)
  await assert.rejects(reading, fault)
  await assert.rejects(readFrame(stream), fault)
})

test('a destroyed stream ends cleanly between two frames', async () => {
  const stream = new PassThrough()
  const reading = readFrame(stream)
  stream.destroy()
  assert.equal(await reading, null)
  assert.equal(await readFrame(stream), null)
})

test('reading removes its listeners', async () => {
  const stream = new PassThrough()
  const before = stream.eventNames()
  for (let i = 0; i < 20; i++) {
    const reading = readFrame(stream)
    await writeFrame(stream, HI)
    await reading
  }
  assert.deepEqual(stream.eventNames(), before)
})

test('reading a large frame does not raise the buffer of the stream to the size of the frame', async () => {
  const stream = new PassThrough()
  const writing = writeFrame(stream, { type: FrameType.Binary, payload: new Uint8Array(8 * 1024 * 1024) })
  await readFrame(stream)
  await writing
  assert.ok(stream.readableHighWaterMark <= 64 * 1024, `${stream.readableHighWaterMark} bytes`)
})

test('writeFrame resolves only when the target has accepted the whole frame', async () => {
  const target = gated()
  let done = false
  const writing = writeFrame(target, HI).then(() => {
    done = true
  })
  for (const expected of ['0000000100000002', '6869']) {
    const piece = await target.next()
    assert.equal(hex(piece.bytes), expected)
    await setImmediate()
    assert.equal(done, false)
    piece.taken()
  }
  await writing
})

test('writeFrame resolves if the stream is ended right after it', async t => {
  for (const pair of [socketPair, passThrough]) {
    const [near, far] = await pair(t)
    const writing = writeFrame(near, HI)
    near.end()
    assert.deepEqual(await readFrame(far), { ...HI, payload: Buffer.from(HI.payload) })
    await writing
  }
})

test('writeFrame rejects with the error of a failed target, at once and later', async () => {
  const fault = new Error('cable')
  const target = gated()
  target.on('error', () => {})
  const writing = writeFrame(target, HI)
  ;(await target.next()).taken(fault)
  await assert.rejects(writing, fault)
  await assert.rejects(writeFrame(target, HI))
})

test('writeFrame rejects when its socket is destroyed during the write', async t => {
  const [near] = await socketPair(t)
  const writing = writeFrame(near, { type: FrameType.Binary, payload: new Uint8Array(16 * 1024 * 1024) })
  near.destroy()
  await assert.rejects(writing, { name: 'DriverError', code: 'STREAM_CLOSED' })
  await assert.rejects(writeFrame(near, HI), { name: 'DriverError', code: 'STREAM_CLOSED' })
})

test('writeFrame rejects with the error that destroyed its socket', async t => {
  const [near] = await socketPair(t)
  const fault = new Error('cable')
  near.on('error', () => {})
  const writing = writeFrame(near, { type: FrameType.Binary, payload: new Uint8Array(16 * 1024 * 1024) })
  near.destroy(fault)
  await assert.rejects(writing, fault)
})

test('writeFrame rejects when the other side closes during the write', async t => {
  const [near, far] = await socketPair(t)
  near.on('error', () => {})
  const writing = writeFrame(near, { type: FrameType.Binary, payload: new Uint8Array(16 * 1024 * 1024) })
  far.destroy()
  await assert.rejects(writing, { code: /^(EPIPE|ECONNRESET|STREAM_CLOSED)$/ })
})

test('[frame.cap-write] [frame.file-name-write] a frame that cannot be written leaves the stream untouched', async () => {
  const stream = new PassThrough()
  const file = { type: FrameType.File, payload: new Uint8Array(1), filename: 'n'.repeat(256) }
  await assert.rejects(writeFrame(stream, file), { code: 'FILENAME_TOO_LONG' })
  await assert.rejects(writeFrame(stream, { ...file, filename: 'a/b' }), { code: 'FILENAME_UNSAFE' })
  await assert.rejects(writeFrame(stream, HI, { maxFrameSize: 1 }), { code: 'FRAME_TOO_LARGE' })
  await assert.rejects(writeFrame(stream, { ...HI, type: -1 }), { code: 'FRAME_INVALID' })
  await assert.rejects(writeFrameFrom(stream, { type: 2, length: 2 ** 31 }, body('')), {
    code: 'FRAME_TOO_LARGE',
  })
  assert.equal(stream.readableLength, 0)
})

test('writeFrameFrom writes one frame from its pieces', async () => {
  const stream = new PassThrough()
  await writeFrameFrom(stream, { type: FrameType.File, length: 3, filename: 'a' }, body('01', '', '0203'))
  assert.equal(hex(readAll(stream)), '00000004000000060001' + '61' + '010203')
})

test('writeFrameFrom requests a piece when the last one was accepted', async () => {
  const target = gated()
  const log: string[] = []
  async function* pieces() {
    for (const digits of ['01', '02']) {
      log.push(`asked ${digits}`)
      yield fromHex(digits)
    }
  }
  const writing = writeFrameFrom(target, { type: 2, length: 2 }, pieces())
  for (const _ of ['header', 'first', 'second']) {
    const piece = await target.next()
    log.push(`took ${hex(piece.bytes)}`)
    piece.taken()
  }
  await writing
  assert.deepEqual(log, ['took 0000000200000002', 'asked 01', 'took 01', 'asked 02', 'took 02'])
})

test('writeFrameFrom fails if the pieces have fewer or more bytes than declared, and never writes more', async () => {
  const short = new PassThrough()
  await assert.rejects(writeFrameFrom(short, { type: 2, length: 3 }, body('0102')), {
    code: 'FRAME_INVALID',
    message: 'the frame declares 3 bytes; its body has only 2',
  })
  const long = new PassThrough()
  let closed = false
  async function* endless() {
    try {
      for (;;) yield fromHex('01')
    } finally {
      closed = true
    }
  }
  await assert.rejects(writeFrameFrom(long, { type: 2, length: 3 }, endless()), { code: 'FRAME_INVALID' })
  assert.equal(hex(readAll(long)), '0000000200000003010101')
  assert.ok(closed)
})

test('writeFrameFrom rejects with the error of its source, and closes the source when the target fails', async () => {
  const fault = new Error('disk')
  async function* broken() {
    yield fromHex('01')
    throw fault
  }
  await assert.rejects(writeFrameFrom(new PassThrough(), { type: 2, length: 2 }, broken()), fault)

  const source = Readable.from([fromHex('01'), fromHex('02')])
  const target = gated()
  target.on('error', () => {})
  const writing = writeFrameFrom(target, { type: 2, length: 2 }, source)
  ;(await target.next()).taken()
  ;(await target.next()).taken(fault)
  await assert.rejects(writing, fault)
  assert.ok(source.destroyed)
})

function passThrough(_t: TestContext): Promise<[PassThrough, PassThrough]> {
  const stream = new PassThrough()
  return Promise.resolve([stream, stream])
}

/** The frame, the code of the error, or null. */
async function outcome(reading: Promise<Frame | null>): Promise<object | string | null> {
  try {
    const frame = await reading
    return frame === null ? null : plain(frame)
  } catch (error) {
    return (error as { code: string }).code
  }
}

function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function* body(...digits: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of digits) yield fromHex(piece)
}

interface Piece {
  bytes: Uint8Array
  taken(error?: Error): void
}

/** A writable that takes a piece only when it is told to. */
function gated(): Writable & { next(): Promise<Piece> } {
  const pieces: Piece[] = []
  const target = new Writable({
    highWaterMark: 1,
    write(bytes: Uint8Array, _encoding, taken) {
      pieces.push({ bytes, taken })
      target.emit('piece')
    },
  })
  const next = async (): Promise<Piece> => {
    if (pieces.length === 0) await once(target as Stream, 'piece')
    return pieces.shift()!
  }
  return Object.assign(target, { next })
}

/** All that is buffered; from Node 26 on read() gives one chunk at a time. */
function readAll(stream: PassThrough): Buffer {
  const chunks: Buffer[] = []
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}
