import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { test } from 'node:test'
import type { Message } from '#lib/client/outgoing.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { readTracePayload } from '#lib/wire/trace.js'
import { connected } from '../../../../test/helpers/connected-client.ts'
import { closed, text, textOf } from '../../../../test/helpers/service-harness.ts'
import { tempDir } from '../../../../test/helpers/temp-dir.ts'

test('every send method writes its frame', async t => {
  const { client, peer } = await connected(t)
  await client.sendText('héllo')
  await client.sendJSON({ a: [1] })
  await client.sendJSON(Buffer.from('{ "raw" : 1 }'))
  await client.sendBinary(Buffer.from([0, 255]))
  await client.sendFile('a.txt', Buffer.from('data'))
  const sentAt = await client.sendTrace(FrameType.JSON, Buffer.from('[]'))
  const frames: Frame[] = []
  for (let i = 0; i < 6; i++) frames.push((await readFrame(peer)) as Frame)
  assert.deepEqual(
    frames.slice(0, 5).map(frame => [frame.type, textOf(frame), frame.filename]),
    [
      [1, 'héllo', undefined],
      [3, '{"a":[1]}', undefined],
      [3, '{ "raw" : 1 }', undefined],
      [2, Buffer.from([0, 255]).toString(), undefined],
      [4, 'data', 'a.txt'],
    ],
  )
  const trace = readTracePayload(frames[5] as Frame)
  assert.equal(trace.sentAtNs, sentAt)
  assert.equal(trace.innerType, FrameType.JSON)
  assert.ok(Math.abs(Number(sentAt / 1_000_000n) - Date.now()) < 60_000)
})

test('recv gives the frames of the peer, then null once it has closed', async t => {
  const { client, peer } = await connected(t)
  await writeFrame(peer, text('one'))
  await writeFrame(peer, text('two'))
  peer.end()
  const seen: string[] = []
  for await (const frame of client) seen.push(textOf(frame))
  assert.deepEqual(seen, ['one', 'two'])
  assert.equal(await client.recv(), null)
})

test('recv that gives up loses no frame', async t => {
  const { client, peer } = await connected(t)
  await assert.rejects(client.recv({ timeoutMs: 5 }), { code: 'TIMED_OUT' })
  const aborted = client.recv({ signal: AbortSignal.abort('enough') })
  await assert.rejects(aborted, { code: 'ABORTED', cause: 'enough' })
  await writeFrame(peer, text('kept'))
  assert.equal(textOf(await client.recv()), 'kept')
})

test('recv rejects with what is wrong with a stream that ends inside a frame', async t => {
  const { client, peer } = await connected(t)
  peer.end(Buffer.from([0, 0, 0, 1, 0, 0, 0, 9, 65]))
  await assert.rejects(client.recv(), { code: 'FRAME_TRUNCATED' })
})

test('[ack.pipelined] many deliveries in flight each get their own answer, in order', async t => {
  const { client, peer } = await connected(t)
  const deliveries = Array.from({ length: 100 }, (_, i) => client.deliver({ text: 'x'.repeat(i) }))
  for (let i = 0; i < 100; i++) {
    const frame = (await readFrame(peer)) as Frame
    await writeFrame(peer, text(`ACK TEXT ${frame.payload.length} bytes`))
  }
  const receipts = await Promise.all(deliveries)
  assert.deepEqual(
    receipts.map(receipt => receipt.size),
    Array.from({ length: 100 }, (_, i) => i),
  )
})

test('answers to plain sends go to recv, those of deliveries to their callers', async t => {
  const { client, peer } = await connected(t)
  await client.sendText('plain')
  const delivery = client.deliver({ binary: Buffer.from('abc') })
  await client.sendText('plain again')
  for (let i = 0; i < 3; i++) await readFrame(peer)
  for (const answer of ['ACK TEXT 5 bytes', 'ACK BINARY 3 bytes', 'ACK TEXT 11 bytes'])
    await writeFrame(peer, text(answer))
  assert.equal((await delivery).type, 'BINARY')
  assert.equal(textOf(await client.recv()), 'ACK TEXT 5 bytes')
  assert.equal(textOf(await client.recv()), 'ACK TEXT 11 bytes')
})

test('a delivery is refused, unanswered or cut, each with its own code', async t => {
  const { client, peer } = await connected(t)
  const refused = client.deliver({ text: 'a' })
  await writeFrame(peer, text('ERR TEXT save failed: inbox full'))
  await assert.rejects(refused, { code: 'PEER_REFUSED' })
  await assert.rejects(client.deliver({ text: 'b' }, { answerTimeoutMs: 20 }), { code: 'ANSWER_TIMED_OUT' })
  // The late answer belongs to the delivery that gave up, not to the next.
  const next = client.deliver({ text: 'cc' })
  await writeFrame(peer, text('ACK TEXT 1 bytes'))
  await writeFrame(peer, text('ACK TEXT 2 bytes'))
  assert.equal((await next).size, 2)
  const cut = client.deliver({ text: 'd' })
  peer.destroy()
  await assert.rejects(cut, { code: 'CONNECTION_CLOSED' })
  await assert.rejects(client.deliver({ text: 'e' }), { code: 'CONNECTION_CLOSED' })
})

test('a delivery can be aborted, before and while it waits', async t => {
  const { client } = await connected(t)
  await assert.rejects(client.deliver({ text: 'a' }, { signal: AbortSignal.abort() }), { code: 'ABORTED' })
  const controller = new AbortController()
  const waiting = client.deliver({ text: 'b' }, { signal: controller.signal })
  controller.abort(new Error('user'))
  await assert.rejects(waiting, (error: Error & { code?: string }) => error.code === 'ABORTED')
})

test('[frame.cap-write] what cannot be sent is refused before a byte is written, and the connection goes on', async t => {
  const { client, peer } = await connected(t, { maxFrameSize: 100 })
  await assert.rejects(client.deliver({ text: 'x'.repeat(101) }), { code: 'FRAME_TOO_LARGE' })
  await assert.rejects(client.sendFile('dir/name', Buffer.from('')), { code: 'FILENAME_UNSAFE' })
  await assert.rejects(client.deliver({ file: Buffer.from(''), name: 'n'.repeat(256), size: 0 }), {
    code: 'FILENAME_TOO_LONG',
  })
  await assert.rejects(client.deliver({ json: undefined }), { code: 'CONFIG_INVALID' })
  await assert.rejects(client.deliver({ file: Buffer.from('') } as never), {
    code: 'CONFIG_INVALID',
    message: /name/,
  })
  const good = client.deliver({ text: 'ok' })
  assert.equal(textOf(await readFrame(peer)), 'ok')
  await writeFrame(peer, text('ACK TEXT 2 bytes'))
  assert.equal((await good).size, 2)
})

test('a file is read from its path, under its own name, with progress', async t => {
  const path = join(tempDir(t), 'report.bin')
  const content = Buffer.alloc(700_000, 'abc')
  writeFileSync(path, content)
  const { client, peer } = await connected(t)
  const progress: number[][] = []
  const delivery = client.deliver({ file: path }, { onProgress: (...args) => progress.push(args) })
  const frame = (await readFrame(peer)) as Frame
  assert.equal(frame.filename, 'report.bin')
  assert.ok(content.equals(frame.payload))
  await writeFrame(peer, text('ACK FILE 700000 bytes'))
  assert.equal((await delivery).size, 700_000)
  assert.deepEqual(progress.at(-1), [700_000, 700_000])
  assert.ok(progress.length > 1)
})

test('a frame whose body fails ends the connection: half a frame cannot be mended', async t => {
  const { client, peer } = await connected(t)
  async function* failing() {
    yield Buffer.alloc(1000)
    throw new Error('disk gone')
  }
  const failed = client.deliver({ file: Readable.from(failing()), name: 'x', size: 2000 })
  const read = readFrame(peer)
  await assert.rejects(failed, { code: 'SOURCE_UNREADABLE', message: /disk gone/ })
  await assert.rejects(read, { code: 'FRAME_TRUNCATED' })
})

test('aborting a file that is being written ends the connection at once', async t => {
  const { client, peer } = await connected(t)
  const controller = new AbortController()
  const endless = Readable.from(
    (async function* () {
      for (;;) yield Buffer.alloc(65_536)
    })(),
  )
  const delivery = client.deliver(
    { file: endless, name: 'x', size: 200_000_000 },
    { signal: controller.signal },
  )
  await once(peer, 'readable')
  controller.abort()
  await assert.rejects(delivery, { code: 'ABORTED' })
  const over = closed(peer)
  peer.resume()
  await over
})

test('close writes what was sent before it, and is idempotent', async t => {
  const { client, peer } = await connected(t)
  const sent = client.sendText('last')
  const closed = client.close()
  assert.equal(textOf(await readFrame(peer)), 'last')
  assert.equal(await readFrame(peer), null)
  await Promise.all([sent, closed, client.close()])
})

test('await using closes the client', async t => {
  const { client, peer } = await connected(t)
  {
    await using _ = client
  }
  assert.equal(await readFrame(peer), null)
})

test('a message that cannot be prepared does not end the connection', async t => {
  const { client, peer } = await connected(t)
  const circular: Record<string, unknown> = {}
  circular.self = circular
  await assert.rejects(client.deliver({ json: circular }), { code: 'CONFIG_INVALID', message: /circular/ })
  await assert.rejects(client.deliver({ json: undefined }), { code: 'CONFIG_INVALID', message: /no JSON/ })
  await assert.rejects(client.deliver({ file: new URL('https://example.org/a') }), { code: 'CONFIG_INVALID' })
  await assert.rejects(client.deliver({} as Message), { code: 'CONFIG_INVALID' })
  const broken = new Readable({
    read() {
      this.destroy(new Error('the disk died'))
    },
  })
  await assert.rejects(client.deliver({ file: broken, name: 'a' }), {
    code: 'SOURCE_UNREADABLE',
    message: /the disk died/,
  })
  const receipt = client.deliver({ text: 'on' })
  assert.equal(textOf(await readFrame(peer)), 'on')
  await writeFrame(peer, text('ACK TEXT 2 bytes'))
  assert.equal((await receipt).size, 2)
})

test('a stream that never ends keeps neither an abort nor close from what they do', async t => {
  const { client, peer } = await connected(t)
  for (const file of [new PassThrough(), new ReadableStream<Uint8Array>()]) {
    const abort = new AbortController()
    const aborted = client.deliver({ file, name: 'endless' }, { signal: abort.signal })
    const next = client.sendText('next')
    abort.abort()
    await assert.rejects(aborted, { code: 'ABORTED' })
    await next
    assert.equal(textOf(await readFrame(peer)), 'next')
  }
  const endless = new PassThrough()
  const delivery = assert.rejects(client.deliver({ file: endless, name: 'endless' }), {
    code: 'CONNECTION_CLOSED',
  })
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const over = client.close()
  t.mock.timers.tick(FIXED_LIMITS.closeTimeout.value)
  await Promise.all([over, delivery])
  assert.ok(endless.destroyed)
})
