import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FIXED_LIMITS } from '#lib/limits.js'
import type { Stream } from '#lib/pilot/transport.js'
import { CLOSE_LINGER_MS } from '#lib/service/connection.js'
import { Service } from '#lib/service/service.js'
import { encodeFrame } from '#lib/wire/encode.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame, writeFrameFrom } from '#lib/wire/frame-io.js'
import { decodeTraceAnswer, traceToFrame } from '#lib/wire/trace.js'
import {
  closed,
  closeStream,
  recordingLogger,
  startService,
  text,
  textOf,
  visible,
} from '../../../../test/helpers/service-harness.ts'
import { socketStreams } from '../../../../test/helpers/socket-streams.ts'
import { tempDir } from '../../../../test/helpers/temp-dir.ts'

const file = (filename: string, data: string | Uint8Array): Frame => ({
  type: FrameType.File,
  filename,
  payload: Buffer.from(data),
})

/** A FILE frame whose payload is given as it is, prefix and all. */
async function writeRawFile(stream: Stream, payload: Uint8Array): Promise<void> {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(FrameType.File)
  header.writeUInt32BE(payload.length, 4)
  await new Promise(resolve => stream.write(Buffer.concat([header, payload]), resolve))
}

test('[plugin.name] [plugin.order] the service is dataexchange, of order 110', () => {
  const service = new Service()
  assert.equal(service.name, 'dataexchange')
  assert.equal(service.order, 110)
})

test('[ack.form] [ack.text] [ack.binary] [ack.json] [ack.file] [ack.count] [ack.count-file] [ack.every-frame] [ack.text-frame] [ack.inbox-types] every stored frame is acknowledged with its name and length', async t => {
  const node = await startService(t)
  const answers = await node.ask(
    text('héllo'),
    { type: FrameType.Binary, payload: Buffer.from([0, 255, 1]) },
    { type: FrameType.JSON, payload: Buffer.from('{"a":1}') },
    file('notes.txt', 'file data'),
    { type: FrameType.AutoAnswer, payload: Buffer.from('who are you?') },
  )
  assert.deepEqual(answers, [
    'ACK TEXT 6 bytes',
    'ACK BINARY 3 bytes',
    'ACK JSON 7 bytes',
    'ACK FILE 9 bytes',
    'ACK AUTOANSWER 12 bytes',
  ])
  assert.deepEqual(
    node.messages().map(message => [message.type, message.data, message.bytes]),
    [
      ['TEXT', 'héllo', 6],
      ['BINARY', '\0\ufffd\u0001', 3],
      ['JSON', '{"a":1}', 7],
      ['AUTOANSWER', 'who are you?', 12],
    ],
  )
  assert.deepEqual([...node.files().values()].map(String), ['file data'])
})

test('[inbox.from] a message names its sender by the address, without a port', async t => {
  const node = await startService(t)
  await node.ask(text('x'))
  assert.equal(node.messages()[0]?.from, '1:0001.00A3.F291')
})

test('[ack.empty] empty frames are stored and acknowledged', async t => {
  const node = await startService(t)
  assert.deepEqual(await node.ask(text(''), file('e.txt', '')), ['ACK TEXT 0 bytes', 'ACK FILE 0 bytes'])
  assert.equal(node.messages()[0]?.data, '')
  assert.deepEqual([...node.files().values()].map(String), [''])
})

test('[frame.json-opaque] a JSON payload is not parsed: an invalid one is stored, too', async t => {
  const node = await startService(t)
  assert.deepEqual(await node.ask({ type: 3, payload: Buffer.from('{nope') }), ['ACK JSON 5 bytes'])
  assert.equal(node.messages()[0]?.data, '{nope')
})

test('[ack.unknown] [frame.unknown-whole] a type that is not stored is read whole and refused by its number, and the connection stays open', async t => {
  const node = await startService(t)
  const big = Buffer.alloc(600_000, 7)
  const answers = await node.ask(
    { type: 77, payload: Buffer.from('abc') },
    { type: 0, payload: big },
    text('after'),
  )
  assert.deepEqual(answers, [
    'ERR UNKNOWN(77) save failed: unsupported frame type 77',
    'ERR UNKNOWN(0) save failed: unsupported frame type 0',
    'ACK TEXT 5 bytes',
  ])
  assert.equal(node.messages().length, 1)
})

test('[ack.file-unnamed] a file without a name is stored as unnamed', async t => {
  const node = await startService(t)
  assert.deepEqual(await node.ask(file('', 'data')), ['ACK FILE 4 bytes'])
  assert.match([...node.files().keys()][0] ?? '', /^unnamed-\d{8}-\d{6}\.\d{3}-\d{6}$/)
})

test('[ack.file-lying-name] [frame.file-short] a FILE with a wrong name length is refused, and the connection stays open', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  for (const payload of ['', '\x09', '\0\x32abcd']) {
    await writeRawFile(stream, Buffer.from(payload, 'latin1'))
    assert.equal(textOf(await readFrame(stream)), 'ERR FILE save failed: malformed file name')
  }
  await writeFrame(stream, text('after'))
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 5 bytes')
  assert.equal(node.files().size, 0)
  await closeStream(stream)
})

test('[ack.close-after-malformed] [frame.cap-closes] a malformed frame ends its connection after the earlier answers; other connections continue; one log line for each kind', async t => {
  const node = await startService(t, { maxFrameSize: 1000 })
  const witness = await node.dial()
  const garbage: Record<string, Buffer> = {
    'over the cap': Buffer.from('00000001000003e9', 'hex'),
    'a path as a name': Buffer.concat(encodeFrame({ type: 1, payload: Buffer.from('\0\x04../xd') })),
    'random bytes': Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  }
  garbage['a path as a name']?.writeUInt32BE(FrameType.File)
  for (const [name, bytes] of Object.entries(garbage)) {
    const stream = await node.dial()
    await writeFrame(stream, text('good'))
    stream.write(bytes)
    assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 4 bytes', name)
    assert.equal(await readFrame(stream), null, name)
  }
  assert.deepEqual(
    node.log.map(entry => entry.message),
    ['connection ended: FRAME_TOO_LARGE', 'connection ended: FILENAME_UNSAFE'],
  )
  assert.deepEqual(node.service.refusals, {
    'connection ended: FRAME_TOO_LARGE': 2,
    'connection ended: FILENAME_UNSAFE': 1,
  })
  await writeFrame(witness, text('still here'))
  assert.equal(textOf(await readFrame(witness)), 'ACK TEXT 10 bytes')
  await closeStream(witness)
})

test('[ipc.close-waits] before the service closes, its peer has a bounded time to read the last answer', async t => {
  const node = await startService(t, { maxFrameSize: 1000 })
  const [patient, quick] = [await node.dial(), await node.dial()]
  for (const stream of [patient, quick]) {
    await writeFrame(stream, text('good'))
    stream.write(Buffer.from('00000001000003e9', 'hex'))
    assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 4 bytes')
  }
  const answered = performance.now()
  await closeStream(quick)
  assert.equal(await readFrame(patient), null)
  const waited = performance.now() - answered
  assert.ok(waited > CLOSE_LINGER_MS / 2, `closed after ${waited} ms`)
  assert.ok(waited < FIXED_LIMITS.closeTimeout.value, `closed after ${waited} ms`)
})

test('[ack.err-nothing-left] a connection that is cut inside a frame leaves no files', async t => {
  const node = await startService(t)
  for (const head of [
    { type: FrameType.Text, length: 2_000_000 },
    { type: FrameType.File, length: 2_000_000, filename: 'half.bin' },
    { type: FrameType.Binary, length: 2000 },
  ]) {
    const stream = await node.dial()
    async function* half() {
      yield Buffer.alloc(head.length / 2)
      stream.destroy()
    }
    await writeFrameFrom(stream, head, half()).catch(() => {})
  }
  assert.deepEqual(await node.ask(text('after')), ['ACK TEXT 5 bytes'])
  assert.deepEqual(
    node.messages().map(message => message.data),
    ['after'],
  )
  assert.equal(node.files().size, 0)
  await node.service.stop()
  for (const dir of [node.inboxDir, node.receivedDir]) assert.deepEqual(readdirSync(join(dir, '.tmp')), [])
})

test('[ack.order] [ack.pipelined] answers arrive in the order of the frames, whatever their sizes', async t => {
  const node = await startService(t)
  const frames: Frame[] = []
  for (let i = 0; i < 60; i++) {
    frames.push(i % 10 === 3 ? file(`f${i}`, Buffer.alloc(400_000 + i)) : text('t'.repeat(i)))
  }
  const answers = await node.ask(...frames)
  assert.deepEqual(
    answers,
    frames.map(({ type, payload }) => `ACK ${type === 4 ? 'FILE' : 'TEXT'} ${payload.length} bytes`),
  )
})

test('[ack.durable] [ack.visible] when the answer arrives, the whole message is visible under its final name', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  for (let i = 1; i <= 20; i++) {
    await writeFrame(stream, i % 2 ? text(`m${i}`) : file(`f${i}.bin`, Buffer.alloc(300_000, i)))
    await readFrame(stream)
    assert.equal(visible(node.inboxDir).length, Math.ceil(i / 2))
    assert.equal(visible(node.receivedDir).length, Math.floor(i / 2))
  }
  assert.ok([...node.files().values()].every(data => data.length === 300_000 && data[0] === data[299_999]))
  await closeStream(stream)
})

test('[ack.err-form] [ack.err-private] [ack.open-after-err] a deleted folder gives ERR without a path; the service continues', async t => {
  const node = await startService(t)
  rmSync(node.inboxDir, { recursive: true })
  writeFileSync(node.inboxDir, 'a file where the folder was')
  const answers = await node.ask(text('lost'), file('kept.txt', 'x'), text('lost too'))
  assert.match(answers[0] ?? '', /^ERR TEXT save failed: storage error: /)
  assert.equal(answers[1], 'ACK FILE 1 bytes')
  assert.match(answers[2] ?? '', /^ERR TEXT save failed: /)
  assert.ok(!answers.join().includes(dirname(node.inboxDir)), answers.join())
  rmSync(node.inboxDir)
  assert.deepEqual(await node.ask(text('again')), ['ACK TEXT 5 bytes'])
})

test('[event.inbox-full] [inbox.max-bytes-alone] a message larger than the inbox is refused, evicts nothing, and publishes inbox.full', async t => {
  const node = await startService(t, { inboxMaxBytes: 2000 })
  const answers = await node.ask(text('small'), text('x'.repeat(3000)))
  assert.deepEqual(answers, ['ACK TEXT 5 bytes', 'ERR TEXT save failed: inbox full'])
  assert.deepEqual(
    node.messages().map(message => message.data),
    ['small'],
  )
  await delay(5)
  assert.deepEqual(
    node.events.filter(event => event.topic === 'inbox.full').map(event => event.payload),
    [{ from: '1:0001.00A3.F291', type: 'TEXT', frame_bytes: 3000, max_bytes: 2000 }],
  )
})

test('[event.received-full] [received.max-bytes] a file over the quota is refused, also while it streams, and publishes received.full', async t => {
  const node = await startService(t, { receivedMaxBytes: 500_000 })
  const answers = await node.ask(
    file('a', Buffer.alloc(400_000)),
    file('b', Buffer.alloc(400_000)),
    file('c', 'fits'),
  )
  assert.deepEqual(answers, [
    'ACK FILE 400000 bytes',
    'ERR FILE save failed: received folder full',
    'ACK FILE 4 bytes',
  ])
  assert.equal(node.files().size, 2)
  await delay(5)
  assert.deepEqual(
    node.events.filter(event => event.topic === 'received.full').map(event => event.payload),
    [{ type: 'FILE', frame_bytes: 400_000, max_bytes: 500_000 }],
  )
})

test('[event.message-received] [event.file-received] stored messages and files are published once they are visible', async t => {
  const node = await startService(t)
  await node.ask(text('hello'), file('My File.txt', 'abc'))
  await delay(5)
  const path = join(node.receivedDir, [...node.files().keys()][0] ?? '')
  const byTopic = [...node.events].sort((a, b) => (a.topic < b.topic ? -1 : 1))
  assert.deepEqual(byTopic, [
    { topic: 'file.received', payload: { filename: 'My File.txt', size: 3, path } },
    { topic: 'message.received', payload: { type: 'TEXT', from: '1:0001.00A3.F291', size: 5 } },
  ])
})

test('[event.ack-failed] an answer that cannot be written is published as ack_failed', async t => {
  const node = await startService(t)
  const isPublished = () => node.events.some(event => event.topic === 'dataexchange.ack_failed')
  // On a busy machine all answers may be written before the peer leaves: then it is tried again.
  for (let tries = 0; tries < 20 && !isPublished(); tries++) {
    const stream = await node.dial()
    stream.on('error', () => {})
    for (let i = 0; i < 50; i++) void writeFrame(stream, text('x'.repeat(5000))).catch(() => {})
    await once(stream, 'readable')
    stream.destroy()
    for (let i = 0; i < 50 && !isPublished(); i++) await delay(10)
  }
  const failed = node.events.find(event => event.topic === 'dataexchange.ack_failed')?.payload as Record<
    string,
    string
  >
  assert.equal(failed.remote, '1:0001.00A3.F291:49152')
  assert.equal(failed.frame_type, 'TEXT')
  assert.ok(failed.error)
})

test('[ack.trace-fields] [ack.trace-inbox] [ack.trace-times] a TRACE is answered with its times and the answer of its inner frame', async t => {
  const node = await startService(t)
  const sentAtNs = 1_790_000_000_123_456_789n
  const before = BigInt(Date.now() - 5) * 1_000_000n
  const [json] = await node.ask(
    traceToFrame({ sentAtNs, innerType: FrameType.Text, payload: Buffer.from('probe') }),
  )
  const after = BigInt(Date.now() + 5) * 1_000_000n
  assert.deepEqual(Object.keys(JSON.parse(json ?? '')), [
    'sent_at_ns',
    'received_at_ns',
    'inbox_written_at_ns',
    'ack_sent_at_ns',
    'inner_ack',
  ])
  const answer = decodeTraceAnswer(json ?? '')
  assert.equal(answer.sentAtNs, sentAtNs)
  assert.equal(answer.innerAck, 'ACK TEXT 5 bytes')
  const times = [before, answer.receivedAtNs, answer.inboxWrittenAtNs, answer.ackSentAtNs, after]
  assert.deepEqual(
    times,
    [...times].sort((a, b) => (a < b ? -1 : 1)),
  )
  assert.deepEqual(
    node.messages().map(message => [message.type, message.data]),
    [['TEXT', 'probe']],
  )
})

test('[ack.trace-inner] [ack.trace-short] an error inside a TRACE is in its answer, and the connection stays open', async t => {
  const node = await startService(t)
  const trace = (innerType: number, payload: Buffer) => traceToFrame({ sentAtNs: -1n, innerType, payload })
  const answers = await node.ask(
    { type: FrameType.Trace, payload: Buffer.alloc(11) },
    trace(77, Buffer.from('abc')),
    trace(FrameType.Trace, Buffer.from('abc')),
    trace(FrameType.File, Buffer.from('\0\x04../xd')),
    trace(FrameType.File, Buffer.from('\x01')),
    text('after'),
  )
  assert.equal(answers[0], 'ERR trace parse: payload shorter than its 12-byte header')
  assert.deepEqual(
    answers.slice(1, 5).map(json => decodeTraceAnswer(json).innerAck),
    [
      'ERR UNKNOWN(77) save failed: unsupported frame type 77',
      'ERR UNKNOWN(5) save failed: unsupported frame type 5',
      'ERR FILE save failed: unsafe file name',
      'ERR FILE save failed: malformed file name',
    ],
  )
  assert.equal(answers[5], 'ACK TEXT 5 bytes')
  assert.equal(node.files().size, 0)
})

test('[ack.trace-file] the FILE inside a TRACE is stored in the received folder, small and large', async t => {
  const node = await startService(t)
  const inner = (data: Buffer) => Buffer.concat([Buffer.from('\0\x05a.txt'), data])
  const large = Buffer.alloc(900_000, 'large')
  for (const data of [Buffer.from('small'), large]) {
    const frame = traceToFrame({ sentAtNs: 0n, innerType: FrameType.File, payload: inner(data) })
    const [json] = await node.ask(frame)
    assert.equal(decodeTraceAnswer(json ?? '').innerAck, `ACK FILE ${data.length} bytes`)
  }
  assert.deepEqual([...node.files().values()].map(data => data.length).sort(), [5, 900_000])
  assert.ok([...node.files().values()].some(data => data.equals(large)))
  assert.equal(node.messages().length, 0)
})

test('a large message and a large TRACE are stored whole', async t => {
  const node = await startService(t)
  const data = 'größer '.repeat(100_000)
  const frames = [text(data), traceToFrame({ sentAtNs: 0n, innerType: 1, payload: Buffer.from(data) })]
  const [ack, json] = await node.ask(...frames)
  assert.equal(ack, `ACK TEXT ${Buffer.byteLength(data)} bytes`)
  assert.equal(decodeTraceAnswer(json ?? '').innerAck, ack)
  assert.deepEqual(
    node.messages().map(message => message.data === data),
    [true, true],
  )
})

test('[frame.split] frames that arrive byte by byte are the same frames', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  const bytes = Buffer.concat(
    [text('a'), file('b.txt', 'bb'), text('ccc')].flatMap(frame => encodeFrame(frame)),
  )
  for (const byte of bytes) {
    stream.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  for (const answer of ['ACK TEXT 1 bytes', 'ACK FILE 2 bytes', 'ACK TEXT 3 bytes']) {
    assert.equal(textOf(await readFrame(stream)), answer)
  }
  await closeStream(stream)
})

test('[idle.closes] a connection without a frame is closed after the idle time; a busy one is not', async t => {
  const node = await startService(t, { idleTimeoutMs: 150 })
  const idle = await node.dial()
  const busy = await node.dial()
  const idleClosed = closed(idle)
  idle.resume()
  let open = true
  void idleClosed.then(() => {
    open = false
  })
  while (open) {
    await writeFrame(busy, text('x'))
    assert.equal(textOf(await readFrame(busy)), 'ACK TEXT 1 bytes')
    await delay(20)
  }
  await closeStream(busy)
})

test('[idle.negative] a negative idle time turns the limit off', async t => {
  const node = await startService(t, { idleTimeoutMs: -1 })
  const stream = await node.dial()
  await delay(30)
  await writeFrame(stream, text('x'))
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 1 bytes')
  await closeStream(stream)
})

test('[plugin.start-stop] stop answers the complete frames, drops an incomplete one, and frees the port', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  for (let i = 0; i < 30; i++) await writeFrame(stream, text(`m${i}`))
  stream.write(Buffer.from('0000000100000009', 'hex'))
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 2 bytes')
  const stopped = node.service.stop()
  let answers = 1
  while ((await readFrame(stream)) !== null) answers++
  await stopped
  assert.equal(answers, node.messages().length)
  assert.ok(answers >= 1 && answers <= 30)
  const again = await node.streams.listen(1001)
  await again.close()
})

test('stop does not wait for a peer that keeps sending', async t => {
  const node = await startService(t)
  const stream = await node.dial()
  await writeFrame(stream, text('one'))
  assert.equal(textOf(await readFrame(stream)), 'ACK TEXT 3 bytes')
  const sending = setInterval(() => stream.write(encodeFrame(text('more'))[0] ?? ''), 5)
  stream.on('error', () => {}).resume()
  const since = performance.now()
  await node.service.stop()
  clearInterval(sending)
  const took = performance.now() - since
  assert.ok(took < CLOSE_LINGER_MS + 1500, `${took} ms`)
})

for (const [how, wait] of [
  ['after its time', (t: TestContext) => t.mock.timers.tick(FIXED_LIMITS.stopTimeout.value * 0.8)],
  ['when its signal fires', () => {}],
] as const) {
  test(`stop does not wait for a hook that never settles: ${how}`, async t => {
    let asked = () => {}
    let decide: (decision: true) => void = () => {}
    const isAsked = new Promise<void>(resolve => (asked = resolve))
    const accept = () => {
      asked()
      return new Promise<true>(resolve => (decide = resolve))
    }
    const node = await startService(t, { accept })
    const stream = (await node.dial()).on('error', () => {})
    await writeFrame(stream, text('what about me?'))
    await isAsked
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const signal = how === 'when its signal fires' ? AbortSignal.abort() : undefined
    const stopped = node.service.stop(signal)
    wait(t)
    t.mock.timers.tick(FIXED_LIMITS.stopTimeout.value * 0.2)
    t.mock.timers.reset()
    await stopped
    assert.ok(stream.closed || (await once(stream, 'close')))
    assert.ok(node.log.some(({ message }) => message === 'stopped with frames in flight'))
    decide(true)
    await delay(20)
    assert.deepEqual(node.messages(), [])
  })
}

test('a service that was stopped, once or twice, can be started again', async t => {
  const node = await startService(t)
  await node.service.stop()
  await node.service.stop()
  await assert.rejects(node.ask(text('nobody there')))
  await node.start()
  assert.deepEqual(await node.ask(text('again')), ['ACK TEXT 5 bytes'])
})

test('after the daemon has gone away, the service binds again and logs it', async t => {
  const node = await startService(t)
  assert.deepEqual(await node.ask(text('before')), ['ACK TEXT 6 bytes'])
  node.streams.breakListener(1001)
  const answered = async () => {
    for (;;) {
      try {
        return await node.ask(text('after'))
      } catch {
        await delay(20)
      }
    }
  }
  assert.deepEqual(await answered(), ['ACK TEXT 5 bytes'])
  const said = node.log.map(entry => entry.message)
  assert.ok(said.includes('the daemon closed the socket; reconnecting'), said.join())
  assert.ok(said.includes('connected to the daemon again; the port is bound'), said.join())
})

test('[ipc.port-taken] a port in use fails the start, and the folders are released', async t => {
  const streams = socketStreams(t)
  await streams.listen(1001)
  const dir = tempDir(t)
  const service = new Service({ inboxDir: join(dir, 'i'), receivedDir: join(dir, 'r') })
  const { logger } = recordingLogger()
  const deps = { streams, logger } as unknown as Parameters<Service['start']>[0]
  await assert.rejects(service.start(deps), { code: 'PORT_IN_USE' })
})

test('an unusable folder fails the start', async t => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'occupied'), '')
  const service = new Service({ inboxDir: join(dir, 'occupied', 'inbox'), receivedDir: join(dir, 'r') })
  const { logger } = recordingLogger()
  const deps = { streams: socketStreams(t), logger } as unknown as Parameters<Service['start']>[0]
  await assert.rejects(service.start(deps), { code: 'STORE_FAILED' })
})

test('a peer that never reads its answers is paused, and memory does not grow', async t => {
  const node = await startService(t, { durability: 'os' })
  const stream = await node.dial()
  stream.on('error', () => {})
  stream.pause()
  // Refused frames use no memory: only their answers fill the buffers.
  const frame = Buffer.concat(encodeFrame({ type: 99, payload: new Uint8Array(0) }))
  const batch = Buffer.concat(Array.from({ length: 1000 }, () => frame))
  let sent = 0
  while (sent < 100 && stream.write(batch)) sent++
  await Promise.race([once(stream, 'drain'), delay(500)])
  const before = stream.writableLength
  await delay(200)
  assert.equal(stream.writableLength, before)
  stream.destroy()
  assert.deepEqual(await node.ask(text('others are served')), ['ACK TEXT 17 bytes'])
})

test('[disk.file-mode] [disk.folder-mode] folders are 0700 and files 0600, whatever the umask', async t => {
  const umask = process.umask(0)
  t.after(() => process.umask(umask))
  const node = await startService(t)
  await node.ask(text('x'), file('y', 'y'))
  for (const dir of [node.inboxDir, node.receivedDir]) {
    assert.equal(statSync(dir).mode & 0o777, 0o700)
    for (const name of visible(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
  }
})
