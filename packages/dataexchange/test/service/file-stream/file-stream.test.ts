import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { TRANSFERS_PER_PEER } from '#lib/mailbox/partial/transfers.js'
import { Address } from '#lib/pilot/address.js'
import type { Stream } from '#lib/pilot/transport.js'
import { TRANSFER_HELD } from '#lib/service/file-stream/out-of-order-chunks.js'
import { TRANSFER_CHUNK } from '#lib/service/file-stream/receiver.js'
import type { AcceptRequest } from '#lib/service/peers/admission.js'
import type { ServiceConfig } from '#lib/service/service.js'
import { FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import {
  answerOf,
  answersOf,
  CHUNK,
  converse,
  Sending,
  send,
  sendTogether,
} from '../../../../../test/helpers/file-stream.ts'
import {
  closeStream,
  type ServiceHarness,
  startService,
  text,
  textOf,
} from '../../../../../test/helpers/service-harness.ts'
import { setLimit } from '../../../../../test/helpers/set-limit.ts'
import { fileOf, fileStreamVectors, fromHex } from '../../../../../test/helpers/vectors.ts'

const NO_PROC = existsSync('/proc/self/fd') ? false : 'there is no /proc to see open files in'
const NO_TRANSFER = 'no active transfer (send INIT first)'

/** As of startService; what a test leaves connected is cut before the service is stopped, which would wait for it. */
async function startNode(t: TestContext, config?: ServiceConfig): Promise<ServiceHarness> {
  const streams: Stream[] = []
  t.after(() => {
    for (const stream of streams) stream.on('error', () => {}).destroy()
  })
  const node = await startService(t, config)
  const dial = async () => {
    const stream = await node.dial()
    streams.push(stream)
    return stream
  }
  return { ...node, dial }
}

/** The partial files under `.partial/`, without the files that name their owners. */
function partials({ receivedDir }: ServiceHarness): Map<string, Buffer> {
  const dir = join(receivedDir, '.partial')
  const names = existsSync(dir) ? readdirSync(dir).filter(name => !name.endsWith('.owner')) : []
  return new Map(names.map(name => [name, readFileSync(join(dir, name))]))
}

function putPartial({ receivedDir }: ServiceHarness, name: string, content: Uint8Array): void {
  mkdirSync(join(receivedDir, '.partial'), { recursive: true })
  writeFileSync(join(receivedDir, '.partial', name), content)
}

/** Writes a FILESTREAM frame as it is, and gives nothing. */
async function sendRaw(stream: Stream, payload: Uint8Array): Promise<void> {
  await writeFrame(stream, { type: FrameType.FileStream, payload })
}

/** One whole transfer on a connection of its own; gives its last answer. */
async function deliverAll(node: ServiceHarness, file: Sending): Promise<string> {
  const stream = await node.dial()
  const [begun = ''] = await converse(stream, file.init())
  if (!begun.startsWith('INIT-ACK')) return begun
  const answers = await converse(stream, ...file.chunks(Number(begun.slice(9))), file.done())
  await closeStream(stream)
  return answers.at(-1) ?? ''
}

for (const vector of fileStreamVectors) {
  test(`[stream.receive-vectors] "${vector.name}" is answered as the original does`, async t => {
    const node = await startNode(t)
    const file = fileOf(vector)
    const there = vector.bytes_already_on_receiver
    if (there > 0) putPartial(node, vector.sha256.slice(0, 32), file.subarray(0, there))
    const stream = await node.dial()
    const due = vector.receiver_frames_hex.join('')
    stream.write(fromHex(vector.sender_frames_hex.join('')))
    let got = Buffer.alloc(0)
    for await (const bytes of stream) {
      got = Buffer.concat([got, bytes])
      if (got.length * 2 >= due.length) break
    }
    assert.equal(got.toString('hex'), due)
    assert.ok([...node.files().values()][0]?.equals(file))
    assert.deepEqual([...partials(node)], [])
  })
}

test('[stream.receive-resume] [stream.receive-ack] [stream.receive-done] [stream.receive-no-text] a file arrives in chunks; every chunk is acknowledged, and the file is published', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(3 * CHUNK + 5), 'report.pdf')
  const stream = await node.dial()
  assert.deepEqual(await converse(stream, file.init(), ...file.chunks(), file.done()), [
    'INIT-ACK 0',
    `ACK ${CHUNK}`,
    `ACK ${2 * CHUNK}`,
    `ACK ${3 * CHUNK}`,
    `ACK ${3 * CHUNK + 5}`,
    'COMPLETE ok',
  ])
  const [[name, content] = []] = node.files()
  assert.match(name ?? '', /^report-\d{8}-\d{6}\.\d{3}-000001\.pdf$/)
  assert.ok(content?.equals(file.content))
  assert.equal(statSync(join(node.receivedDir, name ?? '')).mode & 0o777, 0o600)
  await delay(5)
  const path = join(node.receivedDir, name ?? '')
  assert.deepEqual(node.events, [
    { topic: 'file.received', payload: { filename: 'report.pdf', size: file.content.length, path } },
  ])
  // The connection stays open, also for other frames.
  await writeFrame(stream, text('x'))
  assert.equal(await answerOf(stream), 'ACK TEXT 1 bytes')
  assert.deepEqual(await converse(stream, file.chunk(0, 5)), [`ABORT ${NO_TRANSFER}`])
})

test('[stream.receive-partial] [stream.receive-resume] the received bytes lie under the transfer’s id, and the transfer resumes from them after a restart', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(5 * CHUNK))
  const first = await node.dial()
  await converse(first, file.init(), ...file.chunks().slice(0, 2))
  assert.ok(
    partials(node)
      .get(file.hexId)
      ?.equals(file.content.subarray(0, 2 * CHUNK)),
  )
  first.destroy()
  await node.service.stop()
  await node.start()
  const second = await node.dial()
  assert.deepEqual(await converse(second, file.init()), [`INIT-ACK ${2 * CHUNK}`])
  const answers = await converse(second, ...file.chunks(2 * CHUNK), file.done())
  assert.equal(answers.at(-1), 'COMPLETE ok')
  assert.ok([...node.files().values()][0]?.equals(file.content))
  assert.deepEqual([...partials(node)], [])
  assert.deepEqual(readdirSync(join(node.receivedDir, '.partial')), [])
})

test('[stream.receive-ahead] [stream.receive-behind] chunks may arrive in any order, twice, and overlap', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(1000))
  const stream = await node.dial()
  const answers = await converse(
    stream,
    file.init(),
    file.chunk(400, 600),
    file.chunk(400, 500),
    file.chunk(600, 800),
    file.chunk(0, 300),
    file.chunk(100, 200),
    file.chunk(200, 450),
    file.chunk(300, 300),
    file.chunk(700, 1000),
    file.done(),
  )
  assert.deepEqual(answers, [
    'INIT-ACK 0',
    ...[0, 0, 0, 300, 300, 800, 800, 1000].map(received => `ACK ${received}`),
    'COMPLETE ok',
  ])
  assert.ok([...node.files().values()][0]?.equals(file.content))
})

test('[stream.receive-ahead] more than 768 KiB of out-of-order chunks end a transfer; the contiguous bytes are kept', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(20 * CHUNK))
  const stream = await node.dial()
  await converse(stream, file.init(), file.chunk(0, 10))
  const [, ...ahead] = file.chunks()
  const answers = await converse(stream, ...ahead.slice(0, 16))
  assert.deepEqual(
    answers.map(answer => answer.split(' ')[0]),
    [...Array.from({ length: 15 }, () => 'ACK'), 'ABORT'],
  )
  assert.equal(answers[15], 'ABORT too much has come before what goes in front of it')
  assert.deepEqual(await converse(stream, file.init()), ['INIT-ACK 10'])
  // As many tiny chunks as would fit by their bytes alone.
  const tiny = Array.from({ length: 1000 }, (_, i) => file.chunk(20 + 2 * i, 21 + 2 * i))
  const more = await converse(stream, ...tiny)
  assert.ok(more.filter(answer => answer === 'ACK 10').length < TRANSFER_HELD / 1024)
  assert.equal(more.at(-1), `ABORT ${NO_TRANSFER}`)
})

test('a chunk past the declared size ends the transfer, and what was received is discarded', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(100))
  for (const size of [50, 10]) {
    const stream = await node.dial()
    const answers = await converse(stream, file.init(size), file.chunk(0, 10), file.chunk(30, 70))
    assert.deepEqual(answers, ['INIT-ACK 0', 'ACK 10', 'ABORT a chunk goes past the size that INIT declared'])
    assert.deepEqual([...partials(node)], [])
    await closeStream(stream)
  }
})

test('an INIT whose size is too small or too large ends in COMPLETE failed', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(100))
  const stream = await node.dial()
  assert.deepEqual(await converse(stream, file.init(200), file.chunk(0, 100), file.done()), [
    'INIT-ACK 0',
    'ACK 100',
    'COMPLETE failed: bytes are missing',
  ])
  // The bytes are kept: the file itself is correct.
  assert.deepEqual(await converse(stream, file.init(), file.done()), ['INIT-ACK 100', 'COMPLETE ok'])
  assert.deepEqual(await converse(stream, file.init(40), file.chunk(0, 40), file.done()), [
    'INIT-ACK 0',
    'ACK 40',
    'COMPLETE failed: the SHA-256 does not match',
  ])
  assert.equal(node.files().size, 1)
})

test('[stream.receive-corrupt] a wrong hash is refused, and a poisoned partial file fails one try only', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(2 * CHUNK))
  putPartial(node, file.hexId, randomBytes(CHUNK))
  const failed = 'COMPLETE failed: the SHA-256 does not match'
  assert.equal(await deliverAll(node, file), failed)
  assert.deepEqual([...partials(node)], [])
  assert.equal(node.files().size, 0)
  assert.equal(await deliverAll(node, file), 'COMPLETE ok')
  assert.ok([...node.files().values()][0]?.equals(file.content))
  // A sender with other content.
  const stream = await node.dial()
  const answers = await converse(stream, file.init(), file.chunk(0, 5, Buffer.from('wrong')))
  assert.deepEqual(answers, ['INIT-ACK 0', 'ACK 5'])
  assert.deepEqual((await converse(stream, ...file.chunks(5), file.done())).at(-1), failed)
  assert.equal(node.files().size, 1)
})

test('a partial file with other content, or too long, is discarded', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(100))
  putPartial(node, file.hexId, randomBytes(200))
  const stream = await node.dial()
  assert.deepEqual(await converse(stream, file.init(), file.chunk(0, 100), file.done()), [
    'INIT-ACK 0',
    'ACK 100',
    'COMPLETE ok',
  ])
})

test('[stream.receive-no-init] without INIT a CHUNK is answered with ABORT, DONE with COMPLETE failed, ABORT not at all', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(10))
  const stream = await node.dial()
  await send(stream, file.abort(), ...file.chunks(), file.done())
  assert.equal(await answerOf(stream), `ABORT ${NO_TRANSFER}`)
  assert.equal(await answerOf(stream), `COMPLETE failed: ${NO_TRANSFER}`)
  assert.deepEqual([...partials(node)], [])
})

test('the sender’s ABORT closes the transfer without an answer; it can be resumed', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(100))
  const stream = await node.dial()
  await converse(stream, file.init(), file.chunk(0, 60))
  await send(stream, file.abort(), file.chunk(60, 100), file.init())
  assert.equal(await answerOf(stream), `ABORT ${NO_TRANSFER}`)
  assert.equal(await answerOf(stream), 'INIT-ACK 60')
  assert.deepEqual(await converse(stream, file.chunk(60, 100), file.done()), ['ACK 100', 'COMPLETE ok'])
})

test('a text of the sender is in its answer, but refusals are counted and logged under one reason', async t => {
  const node = await startNode(t)
  const file = new Sending(Buffer.alloc(100))
  const stream = await node.dial()
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(await converse(stream, file.init()), ['INIT-ACK 0'])
    const offset = Buffer.alloc(8)
    offset.writeBigUInt64BE(2n ** 60n + BigInt(i))
    await sendRaw(stream, Buffer.concat([Buffer.from([2]), file.id, offset]))
    assert.match(await answerOf(stream), new RegExp(`^ABORT .*${2n ** 60n + BigInt(i)} bytes are more than`))
  }
  assert.deepEqual(node.service.refusals, { 'transfers were refused: malformed FILESTREAM frame': 5 })
  assert.equal(node.log.filter(({ level }) => level === 'warn').length, 1)
})

test('a malformed frame is answered with its fault, and the connection stays open', async t => {
  const node = await startNode(t)
  const { id, sha256 } = new Sending(Buffer.from('abc'))
  const size = Buffer.alloc(12)
  const init = (name: string, hash = sha256, bytes = size) =>
    Buffer.concat([
      Buffer.from([1]),
      id,
      bytes.subarray(0, 8),
      hash,
      Buffer.alloc(4),
      Buffer.from([0, name.length]),
      Buffer.from(name),
    ])
  const stream = await node.dial()
  const cases: [Buffer, RegExp][] = [
    [Buffer.from([4, 1, 2]), /^COMPLETE failed: the frame is too short to name its transfer$/],
    [Buffer.alloc(0), /^COMPLETE failed: the frame is too short to name its transfer$/],
    [init('abc').subarray(0, 40), /^COMPLETE failed: .*INIT ends before its end$/],
    [init('a/b'), /^COMPLETE failed: .*a path, not a file name$/],
    [init('abc', Buffer.alloc(32)), /^COMPLETE failed: .*not the start of the SHA-256$/],
    [
      init('abc', sha256, Buffer.from('8000000000000000', 'hex')),
      /^COMPLETE failed: 9223372036854775808 bytes are more than any file has$|^COMPLETE failed: .*more than any file has$/,
    ],
  ]
  for (const [payload, due] of cases) {
    await sendRaw(stream, payload)
    assert.match(await answerOf(stream), due)
  }
  await sendRaw(stream, Buffer.alloc(5))
  const frame = await readFrame(stream)
  assert.equal(Buffer.from(frame?.payload.subarray(1, 17) ?? []).toString('hex'), '00'.repeat(16))

  await sendRaw(stream, init('abc'))
  assert.equal(await answerOf(stream), 'INIT-ACK 0')
  await sendRaw(stream, Buffer.concat([Buffer.from([2]), id, Buffer.alloc(7)]))
  assert.match(await answerOf(stream), /^ABORT .*it ends inside a number$/)
  assert.ok(!node.log.some(({ level }) => level === 'error'))
})

test('kinds that only a receiver sends, and unknown kinds, get no answer', async t => {
  const node = await startNode(t)
  const { id } = new Sending(Buffer.from('abc'))
  const stream = await node.dial()
  for (const kind of [0, 3, 5, 6, 8, 255]) {
    await sendRaw(stream, Buffer.concat([Buffer.from([kind]), id, Buffer.alloc(600_000)]))
  }
  await writeFrame(stream, text('x'))
  assert.equal(await answerOf(stream), 'ACK TEXT 1 bytes')
})

test('a chunk over the limit ends its transfer; one at the limit is written', async t => {
  const node = await startNode(t)
  const cap = TRANSFER_CHUNK
  const file = new Sending(randomBytes(2 * cap + 2))
  const stream = await node.dial()
  assert.deepEqual(await converse(stream, file.init(), file.chunk(0, cap), file.chunk(cap, 2 * cap + 1)), [
    'INIT-ACK 0',
    `ACK ${cap}`,
    'ABORT the chunk is too large',
  ])
  assert.deepEqual(await converse(stream, file.init()), [`INIT-ACK ${cap}`])
})

test('transfers are interleaved on one connection', async t => {
  const node = await startNode(t)
  const files = [1, 2, 3].map(i => new Sending(randomBytes(i * 1000), `f${i}`))
  const stream = await node.dial()
  const answers = await converse(
    stream,
    ...files.map(file => file.init()),
    ...files.flatMap(file => [file.chunk(0, 500)]),
    ...files.flatMap(file => [file.chunk(500, file.content.length)]),
    ...files.map(file => file.done()),
  )
  assert.deepEqual(answers.slice(-3), ['COMPLETE ok', 'COMPLETE ok', 'COMPLETE ok'])
  const found = [...node.files().values()].map(content => content.length)
  assert.deepEqual(found.sort(), [1000, 2000, 3000])
})

test('[stream.receive-takeover] a later INIT takes over the transfer: chunks of the older connection are refused', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(1000))
  const older = await node.dial()
  const newer = await node.dial()
  await converse(older, file.init(), file.chunk(0, 400))
  assert.deepEqual(await converse(newer, file.init()), ['INIT-ACK 400'])
  assert.deepEqual(await converse(older, file.chunk(400, 500, Buffer.alloc(100))), [`ABORT ${NO_TRANSFER}`])
  assert.deepEqual(await converse(newer, file.chunk(400, 1000), file.done()), ['ACK 1000', 'COMPLETE ok'])
  assert.deepEqual(await converse(older, file.done()), [`COMPLETE failed: ${NO_TRANSFER}`])
  assert.ok([...node.files().values()][0]?.equals(file.content))
})

test('a finished file does not change by later frames of the same transfer', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(1000))
  const other = await node.dial()
  await converse(other, file.init(), file.chunk(0, 400))
  assert.equal(await deliverAll(node, file), 'COMPLETE ok')
  const answers = await converse(
    other,
    file.chunk(0, 400, Buffer.alloc(400)),
    file.init(),
    file.chunk(0, 400, Buffer.alloc(400)),
  )
  assert.deepEqual(answers, [`ABORT ${NO_TRANSFER}`, 'INIT-ACK 0', 'ACK 400'])
  assert.ok([...node.files().values()][0]?.equals(file.content))
})

test('[stream.receive-refusal] a file over the quota is refused at INIT, with partial files counted, and publishes received.full', async t => {
  const node = await startNode(t, { receivedMaxBytes: 1000 })
  const stream = await node.dial()
  const [a, b] = [new Sending(randomBytes(700), 'a'), new Sending(randomBytes(600), 'b')]
  assert.deepEqual(await converse(stream, a.init(), a.chunk(0, 500)), ['INIT-ACK 0', 'ACK 500'])
  assert.deepEqual(await converse(stream, b.init()), ['COMPLETE failed: received folder full'])
  // The rest fits, because the received bytes count once.
  assert.deepEqual(await converse(stream, a.init(), a.chunk(500, 700), a.done()), [
    'INIT-ACK 500',
    'ACK 700',
    'COMPLETE ok',
  ])
  assert.deepEqual(await node.ask({ type: FrameType.File, filename: 'c', payload: Buffer.alloc(301) }), [
    'ERR FILE save failed: received folder full',
  ])
  // Up to a quarter of the quota, declared sizes count as if they were stored.
  assert.deepEqual(await converse(stream, b.init(240)), ['INIT-ACK 0'])
  assert.deepEqual(await node.ask({ type: FrameType.File, filename: 'c', payload: Buffer.alloc(61) }), [
    'ERR FILE save failed: received folder full',
  ])
  await delay(5)
  const full = node.events.filter(({ topic }) => topic === 'received.full').map(({ payload }) => payload)
  assert.deepEqual(full[0], { type: 'FILESTREAM', frame_bytes: 600, max_bytes: 1000 })
  assert.equal(partials(node).get(b.hexId)?.length, 0)
})

test('the quota is checked for every chunk: others may have filled the folder meanwhile', async t => {
  const node = await startNode(t, { receivedMaxBytes: 1000 })
  const file = new Sending(randomBytes(900))
  const stream = await node.dial()
  await converse(stream, file.init(), file.chunk(0, 300))
  writeFileSync(join(node.receivedDir, 'other'), Buffer.alloc(500))
  // The folder is listed again before anything is refused.
  assert.deepEqual(await node.ask({ type: FrameType.File, filename: 'c', payload: Buffer.alloc(800) }), [
    'ERR FILE save failed: received folder full',
  ])
  assert.deepEqual(await converse(stream, file.chunk(300, 600)), ['COMPLETE failed: received folder full'])
  assert.equal(partials(node).get(file.hexId)?.length, 300)
})

test('hundreds of INITs keep few files open', { skip: NO_PROC }, async t => {
  const node = await startNode(t)
  const stream = await node.dial()
  const inits = Array.from({ length: 300 }, (_, i) => new Sending(Buffer.from(`file ${i}`)).init())
  const answers = await converse(stream, ...inits)
  assert.equal(answers.filter(answer => answer === 'INIT-ACK 0').length, TRANSFERS_PER_PEER)
  const refused = 'COMPLETE failed: too many transfers at once'
  assert.equal(answers.filter(answer => answer === refused).length, 300 - TRANSFERS_PER_PEER)
  const open = readdirSync('/proc/self/fd').filter(fd => linkOf(fd).includes('.partial'))
  assert.equal(open.length, TRANSFERS_PER_PEER)
  await closeStream(stream)
  while (readdirSync('/proc/self/fd').some(fd => linkOf(fd).includes('.partial'))) await delay(5)
})

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

test('[stream.receive-stall] a transfer without progress is closed; its partial file is kept', {
  skip: NO_PROC,
}, async t => {
  const node = await startNode(t, { transferStallTimeoutMs: 1_000 })
  const file = new Sending(randomBytes(100))
  const stream = await node.dial()
  await converse(stream, file.init(), file.chunk(0, 40))
  await closedInTime(node)
  assert.deepEqual(await converse(stream, file.chunk(40, 100)), [`ABORT ${NO_TRANSFER}`])
  assert.deepEqual(await converse(stream, file.init()), ['INIT-ACK 40'])

  async function closedInTime({ receivedDir }: ServiceHarness): Promise<void> {
    while (readdirSync('/proc/self/fd').some(fd => linkOf(fd).startsWith(receivedDir))) await delay(10)
  }
})

test('the accept hook is called once, for the whole file, with its name and size', async t => {
  const asked: AcceptRequest[] = []
  const accept = (request: AcceptRequest) => {
    asked.push(request)
    return request.filename === 'good.bin' || 'only good.bin may come'
  }
  const node = await startNode(t, { accept })
  const [good, bad] = [
    new Sending(randomBytes(2 * CHUNK), 'good.bin'),
    new Sending(randomBytes(10), 'bad.bin'),
  ]
  assert.equal(await deliverAll(node, good), 'COMPLETE ok')
  assert.equal(await deliverAll(node, bad), 'COMPLETE failed: refused: only good.bin may come')
  assert.deepEqual(
    asked.map(({ address, ...rest }) => rest),
    [
      { type: 'FILE', size: 2 * CHUNK, filename: 'good.bin' },
      { type: 'FILE', size: 10, filename: 'bad.bin' },
    ],
  )
  assert.deepEqual([...partials(node)], [])
})

test('a sender that may not send may not send in chunks, either', async t => {
  const node = await startNode(t, { deny: ['1:*'] })
  assert.equal(
    await deliverAll(node, new Sending(randomBytes(10))),
    'COMPLETE failed: refused: this sender may not send here',
  )
})

test('a sender over its rate is read slowly, and its transfer completes', async t => {
  const node = await startNode(t, { rates: { bytesPerSecond: 200_000 } })
  const file = new Sending(randomBytes(8 * CHUNK))
  const startedAt = performance.now()
  assert.equal(await deliverAll(node, file), 'COMPLETE ok')
  // 8 chunks of 48 KiB: the burst is 200,000 bytes, and nothing waits after the last chunk.
  assert.ok(performance.now() - startedAt > 500)
})

test('a sender that waits for its rates is not read on: others have space', { timeout: 30_000 }, async t => {
  setLimit(t, 'bytesHeld', 65_536)
  // A burst of one frame, and no other during the test.
  const node = await startNode(t, { rates: { framesPerSecond: 0.001 } })
  const file = new Sending(randomBytes(4_000))
  const eager = await Promise.all(Array.from({ length: 4 }, () => node.dial()))
  for (const stream of eager) void send(stream, ...Array(40).fill(file.chunk(0, 4_000)))
  await Promise.any(eager.map(answerOf))
  for (let id = 1; id <= 8; id++) {
    const honest = await node.streams.as(new Address(1, id)).dial()
    await writeFrame(honest, text('x'.repeat(3_000)))
    assert.equal(textOf(await readFrame(honest)), 'ACK TEXT 3000 bytes')
    await closeStream(honest)
  }
})

test('frames that wait for the rates together are handled in their order', async t => {
  const node = await startNode(t, { rates: { framesPerSecond: 50 } })
  const file = new Sending(randomBytes(70))
  const stream = await node.dial()
  const chunks = Array.from(file.content.keys(), at => file.chunk(at, at + 1))
  sendTogether(stream, file.init(), ...chunks, file.done())
  const answers = await answersOf(stream, 72)
  const acks = Array.from(file.content.keys(), at => `ACK ${at + 1}`)
  assert.deepEqual(answers, ['INIT-ACK 0', ...acks, 'COMPLETE ok'])
})

test('a stop does not wait for the rates: arrived frames are answered', async t => {
  const node = await startNode(t, { rates: { framesPerSecond: 0.001 } })
  const file = new Sending(randomBytes(90))
  const stream = await node.dial()
  sendTogether(stream, file.init(), file.chunk(0, 30), file.chunk(30, 60), file.chunk(60, 90))
  assert.equal(await answerOf(stream), 'INIT-ACK 0')
  const rest = answersOf(stream, 4)
  await node.service.stop()
  assert.deepEqual(await rest, ['ACK 30', 'ACK 60', 'ACK 90', 'end'])
})

test('after a frame that is cut off, the transfer resumes from the bytes before it', async t => {
  const node = await startNode(t)
  const file = new Sending(randomBytes(700_000))
  const stream = await node.dial()
  await converse(stream, file.init(), file.chunk(0, 1000))
  const header = Buffer.from('0000000700080019', 'hex')
  const head = Buffer.concat([Buffer.from([2]), file.id, Buffer.alloc(8)])
  head.writeBigUInt64BE(1000n, 17)
  await new Promise(resolve =>
    stream.write(Buffer.concat([header, head, file.content.subarray(1000, 300_000)]), resolve),
  )
  stream.destroy()
  const next = await node.dial()
  const [answer = ''] = await converse(next, file.init())
  const offset = Number(answer.slice('INIT-ACK '.length))
  assert.ok(offset >= 1000 && offset <= 300_000, answer)
  assert.equal((await converse(next, ...file.chunks(offset), file.done())).at(-1), 'COMPLETE ok')
  assert.ok([...node.files().values()][0]?.equals(file.content))
})
