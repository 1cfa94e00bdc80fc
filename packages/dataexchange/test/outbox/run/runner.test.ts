import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { DeliveryError, DriverError, WireError } from '#lib/errors.js'
import { Outbox } from '#lib/outbox/outbox.js'
import { Address } from '#lib/pilot/address.js'
import type { Stream } from '#lib/pilot/transport.js'
import { FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { addService, NO_DAEMON, openOutbox, until } from '../../../../../test/helpers/outbox-harness.ts'
import { SERVER_ADDRESS, socketStreams } from '../../../../../test/helpers/socket-streams.ts'
import { tempDir } from '../../../../../test/helpers/temp-dir.ts'

const entryFiles = (dir: string, suffix = '.msg') => readdirSync(dir).filter(name => name.endsWith(suffix))

test('one that comes while the peer is away is tried until it is there', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await outbox.add('bob', { text: 'hello' })
  const running = run()
  await until(() => net.dialled.length >= 3)
  const bob = await addService(t, net)
  const [event] = await running.told(1)
  assert.ok(event?.topic === 'outbox.delivered' && event.tries >= 4, JSON.stringify(event))
  assert.deepEqual([event.target, event.to], ['bob', SERVER_ADDRESS.toString()])
  assert.equal(bob.messages().length, 1)
  // Its state files are removed, too.
  await running.stop()
  assert.deepEqual(entryFiles(outbox.dir, '.try'), [])
})

test('all that is for a peer which is away waits behind the first; others are served meanwhile', async t => {
  const { outbox, net, run } = await openOutbox(t)
  for (let i = 0; i < 50; i++) await outbox.add('7', { text: `${i}` })
  const running = run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  await until(() => net.dialled.length > 0)
  const bob = await addService(t, net)
  await outbox.add('bob', { text: 'x' })
  await running.told(1)
  assert.equal(bob.messages().length, 1)
  assert.deepEqual(net.dialled, ['0:0000.0000.0007', SERVER_ADDRESS.toString()])
  const waiting = (await outbox.list()).filter(({ status }) => status !== 'queued')
  assert.equal(waiting.length, 1)
})

test('one peer under two spellings of its address is one queue', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await outbox.add('10', { text: 'a' })
  await outbox.add('0:0000.0000.000a', { text: 'b' })
  run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  await until(() => net.dialled.length > 0)
  await until(async () => (await outbox.list())[0]?.status === 'waiting')
  assert.deepEqual(net.dialled, [SERVER_ADDRESS.toString()])
})

test('peers that are away take no more than half of the places', async t => {
  const { outbox, net, run } = await openOutbox(t)
  for (let i = 100; i < 110; i++) {
    const address = new Address(0, i)
    let dials = 0
    // The first time they refuse at once, then they never answer.
    net.peers.set(address.toString(), () => {
      if (dials++ === 0) return Promise.reject(new DriverError('DIAL_FAILED', 'away'))
      return new Promise(() => {})
    })
    await outbox.add(address, { text: 'x' })
  }
  const running = run({ peersAtOnce: 4, retryMinMs: 1, retryMaxMs: 1 })
  await until(() => net.dialled.length >= 12)
  await addService(t, net)
  await outbox.add('bob', { text: 'x' })
  await running.told(1)
  assert.equal(net.dialled.length, 13)
})

test('a daemon that is away costs no try, is looked for, and when it is back all are tried at once', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await outbox.add('eve', { text: 'to nobody' })
  const id = await outbox.add('bob', { text: 'hello' })
  const running = run({ retryMinMs: 20, retryMaxMs: 3_600_000 })
  await until(async () => (await outbox.list())[0]?.status === 'waiting')
  net.daemonError = NO_DAEMON
  await outbox.retry(id)
  await until(async () =>
    (await outbox.list()).some(({ lastError }) => lastError?.code === 'DAEMON_UNAVAILABLE'),
  )
  await addService(t, net)
  net.daemonError = undefined
  const [event] = await running.told(1)
  assert.ok(event?.topic === 'outbox.delivered' && event.id === id)
  assert.deepEqual(
    running.log.filter(({ message }) => /daemon/.test(message)).map(({ message }) => message),
    ['the outbox waits for the daemon', 'the daemon is back'],
  )
})

test('a refusal is tried again; after five of them those behind go first', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const bob = await addService(t, net, {
    accept: ({ type, size }) => (type === 'TEXT' && size === 6 ? 'not this one' : true),
  })
  const refused = await outbox.add('bob', { text: 'refuse' })
  const next = await outbox.add('bob', { text: 'next' })
  const running = run({ retryMinMs: 5, retryMaxMs: 20 })
  const [event] = await running.told(1)
  assert.equal(event?.id, next)
  const [entry] = await outbox.list()
  assert.equal(entry?.id, refused)
  assert.ok((entry?.tries ?? 0) >= 5)
  assert.equal(entry?.lastError?.code, 'PEER_REFUSED')
  // The peer said each time that it has not stored it.
  await until(async () => (await outbox.list())[0]?.maybeStored === false)
  assert.equal(bob.messages().length, 1)
})

test('what fails the same way each time fails at once, and those behind go on', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const path = join(tempDir(t), 'f')
  writeFileSync(path, 'as it was')
  const ids = [
    await outbox.add('bob', { type: 4242, payload: Buffer.from('x') }),
    await outbox.add('bob', { file: path }),
    await outbox.add('bob', { text: 'last' }),
  ]
  writeFileSync(path, 'as it is!')
  const bob = await addService(t, net)
  const events = await run().told(3)
  assert.deepEqual(
    events.map(event => [event.id, event.topic === 'outbox.failed' ? event.code : 'delivered']),
    [
      [ids[0], 'PEER_UNSUPPORTED'],
      [ids[1], 'SOURCE_CHANGED'],
      [ids[2], 'delivered'],
    ],
  )
  assert.deepEqual([...bob.files()], [])
  const listed = await outbox.list()
  assert.deepEqual(
    listed.map(({ id, status, lastError }) => [id, status, lastError?.code]),
    [
      [ids[0], 'failed', 'PEER_UNSUPPORTED'],
      [ids[1], 'failed', 'SOURCE_CHANGED'],
    ],
  )
  assert.match(listed[1]?.lastError?.message ?? '', /has changed since it was added/)
  assert.equal(await outbox.clearFailed(), 2)
  assert.deepEqual(await outbox.counts(), { queued: 0, failed: 0, size: 0, running: true })
})

test('a file is what it was: gone and grown ones fail, one that was only touched is sent', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const dir = tempDir(t)
  const paths = ['gone', 'grown', 'touched', 'turned'].map(name => join(dir, name))
  const [gone = '', grown = '', touched = '', turned = ''] = paths
  for (const path of paths) {
    writeFileSync(path, 'content')
    await outbox.add('bob', { file: path })
  }
  rmSync(gone)
  appendFileSync(grown, '!')
  utimesSync(touched, 1, 1)
  // The same size and time: only the hash tells, while it is being sent.
  const [entry = ''] = entryFiles(outbox.dir).slice(-1)
  const mtime = Number(/"mtime_ms":([\d.]+)/.exec(readFileSync(join(outbox.dir, entry), 'utf8'))?.[1]) / 1000
  writeFileSync(turned, 'CONTENT')
  utimesSync(turned, mtime, mtime)
  const bob = await addService(t, net)
  const events = await run().told(4)
  assert.deepEqual(
    events.map(event => (event.topic === 'outbox.failed' ? event.code : 'delivered')),
    ['SOURCE_UNREADABLE', 'SOURCE_CHANGED', 'delivered', 'SOURCE_CHANGED'],
  )
  assert.deepEqual(
    [...bob.files().values()].map(content => String(content)),
    ['content'],
  )
})

test('a large file goes in chunks, goes on where it was, and never as another', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const dir = tempDir(t)
  const content = randomBytes(9 * 2 ** 20)
  const path = join(dir, 'large')
  const other = join(dir, 'other')
  for (const name of [path, other]) writeFileSync(name, content)
  const { mtimeMs } = statSync(other)
  await outbox.add('bob', { file: path })
  await outbox.add('bob', { file: path, name: 'copied' }, { copy: true })
  const changed = await outbox.add('bob', { file: other })
  writeFileSync(other, randomBytes(content.length))
  utimesSync(other, mtimeMs / 1000, mtimeMs / 1000)

  const bob = await addService(t, net)
  const partial = () =>
    existsSync(join(bob.receivedDir, '.partial')) ? readdirSync(join(bob.receivedDir, '.partial')) : []
  const first = run()
  await until(() => partial().length > 0)
  await first.stop()
  const events = await run().told(3 - first.events.length)
  assert.deepEqual(
    [...first.events, ...events].map(event => (event.topic === 'outbox.failed' ? event.code : event.bytes)),
    [content.length, content.length, 'SOURCE_CHANGED'],
  )
  assert.deepEqual(
    (await outbox.list()).map(({ id }) => id),
    [changed],
  )
  const files = [...bob.files()]
  assert.deepEqual(files.map(([name]) => name.replace(/-.*/, '')).sort(), ['copied', 'large'])
  assert.ok(files.every(([, bytes]) => bytes.equals(content)))
})

test('a damaged entry is set aside with its reason, whatever is wrong with it', async t => {
  const { outbox, dir, net, run } = await openOutbox(t)
  const large = 'x'.repeat(400_000)
  for (const text of ['cut', 'changed', 'no head', large, 'sound']) await outbox.add('bob', { text })
  const [cut = '', changed = '', noHead = '', largeOne = ''] = entryFiles(dir).map(name => join(dir, name))
  writeFileSync(cut, readFileSync(cut).subarray(0, -1))
  writeFileSync(changed, readFileSync(changed, 'latin1').replace('changed', 'CHANGED'), 'latin1')
  writeFileSync(noHead, Buffer.alloc(readFileSync(noHead).length))
  writeFileSync(largeOne, readFileSync(largeOne, 'latin1').replace('xxx', 'xyx'), 'latin1')
  writeFileSync(join(dir, 'not-of-the-outbox.msg'), 'x')
  writeFileSync(join(dir, 'README'), 'x')

  const bob = await addService(t, net)
  const running = run()
  const events = await running.told(5)
  assert.deepEqual(events.map(event => (event.topic === 'outbox.failed' ? event.code : 'delivered')).sort(), [
    ...Array(4).fill('OUTBOX_DAMAGED'),
    'delivered',
  ])
  assert.deepEqual(
    bob.messages().map(({ data }) => data),
    ['sound'],
  )
  const reasons = (await outbox.list()).map(({ status, lastError }) => `${status}: ${lastError?.message}`)
  assert.match(reasons[0] ?? '', /^failed: the entry is damaged: its file has \d+ bytes, not \d+; add/)
  assert.match(reasons[1] ?? '', /its SHA-256 is wrong/)
  assert.match(reasons[2] ?? '', /no first line|no JSON object/)
  assert.match(reasons[3] ?? '', /its SHA-256 is wrong/)
  assert.equal(await outbox.clearFailed(), 4)
})

test('a damaged word about the tries does no harm', async t => {
  const { outbox, dir, net, run } = await openOutbox(t)
  await outbox.add('bob', { text: 'x' })
  const [name = ''] = entryFiles(dir)
  writeFileSync(join(dir, name.replace('.msg', '.try')), '{"tries":')
  const [entry] = await outbox.list()
  assert.deepEqual([entry?.status, entry?.tries, entry?.maybeStored], ['queued', 1, true])
  const bob = await addService(t, net)
  await run().told(1)
  assert.equal(bob.messages().length, 1)
})

test('a lost answer is mended by the same id at the next try', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const bob = await addService(t, net)
  let dials = 0
  net.peers.set(SERVER_ADDRESS.toString(), async () => {
    const stream = await bob.dial()
    // The frame gets there, the answer does not get back.
    if (dials++ < 2) loseAnswer(stream)
    return stream
  })
  const id = await outbox.add('bob', { text: 'once' })
  const [event] = await run().told(1)
  assert.ok(event?.topic === 'outbox.delivered' && event.duplicate && event.tries >= 2, JSON.stringify(event))
  assert.deepEqual(
    bob.messages().map(({ message_id }) => message_id),
    [id],
  )
})

/** The stream breaks as the first bytes come. */
function loseAnswer(stream: Stream): void {
  const read = stream.read.bind(stream)
  stream.read = size => {
    if (read(size) !== null) stream.destroy()
    return null
  }
}

test('cancel gives up what is being sent, and says that the peer may have it', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const streams = socketStreams(t)
  const listener = await streams.listen(1001)
  net.peers.set(SERVER_ADDRESS.toString(), () => streams.dial(SERVER_ADDRESS, 1001))
  const id = await outbox.add('bob', { text: 'no answer' })
  const next = await outbox.add('bob', { text: 'next' })
  const running = run()
  const connections = listener[Symbol.asyncIterator]()
  const first = (await connections.next()).value
  await readFrame(first)
  assert.equal((await outbox.list())[0]?.status, 'sending')
  assert.deepEqual(await (await Outbox.open({ dir: outbox.dir })).cancel(id), { maybeStored: true })

  // The connection is given up with it; the next goes on another.
  const second = (await connections.next()).value
  assert.equal((await readFrame(second))?.type, FrameType.Tagged)
  await writeFrame(second, { type: 1, payload: Buffer.from('ACK TEXT 4 bytes') })
  const [event] = await running.told(1)
  assert.equal(event?.id, next)
  second.destroy()
  first.destroy()
})

test('cancel of one whose peer is being dialled says that it was not sent, and it is not', async t => {
  const { outbox, net, run } = await openOutbox(t)
  const bob = await addService(t, net)
  let connect = () => {}
  const allowed = new Promise<void>(resolve => {
    connect = resolve
  })
  net.peers.set(SERVER_ADDRESS.toString(), () => allowed.then(() => bob.dial()))
  const id = await outbox.add('bob', { text: 'cancelled' })
  const running = run()
  await until(() => net.dialled.length === 1)
  assert.deepEqual(await outbox.cancel(id), { maybeStored: false })
  connect()
  await outbox.add('bob', { text: 'next' })
  await running.told(1)
  assert.deepEqual(
    bob.messages().map(({ data }) => data),
    ['next'],
  )
})

test('wake tries a peer that is in its pause', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await outbox.add('bob', { text: 'x' })
  const running = run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  await until(async () => (await outbox.list())[0]?.status === 'waiting')
  await addService(t, net)
  outbox.wake('1:0001.0000.0001')
  outbox.wake(SERVER_ADDRESS.toString())
  await running.told(1)
  assert.equal(net.dialled.length, 2)

  // A name that leads nowhere yet may be anybody's.
  await outbox.add('newcomer', { text: 'y' })
  await until(async () => (await outbox.list())[0]?.status === 'waiting')
  net.names.set('newcomer', SERVER_ADDRESS)
  outbox.wake('1:0001.0000.0001')
  await running.told(2)
})

test('wake does not skip the backoff after a refusal, nor the pause after a try', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await addService(t, net, { accept: () => 'not today' })
  await outbox.add('bob', { text: 'x' })
  await outbox.add('7', { text: 'y' })
  run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  await until(async () => (await outbox.list()).every(({ status }) => status === 'waiting'))
  const at = performance.now()
  await until(() => {
    outbox.wake(SERVER_ADDRESS.toString())
    outbox.wake('0:0000.0000.0007')
    return net.dialled.length >= 4
  })
  assert.ok(performance.now() - at > 900)
  assert.equal(net.dialled.filter(to => to === SERVER_ADDRESS.toString()).length, 1)
})

test('untilEmpty ends when nothing is left to be tried, stop leaves what is being sent', async t => {
  const { outbox, net, run } = await openOutbox(t)
  await run({ untilEmpty: true }).ended
  await addService(t, net)
  await outbox.add('bob', { text: 'x' })
  await outbox.add('bob', { type: 4242, payload: Buffer.from('x') })
  const running = run({ untilEmpty: true })
  await running.ended
  assert.equal(running.events.length, 2)

  net.peers.set(SERVER_ADDRESS.toString(), () => new Promise(() => {}))
  await outbox.add('bob', { text: 'y' })
  const other = run()
  await until(() => net.dialled.length === 2)
  await other.stop()
  const [, left] = await outbox.list()
  assert.deepEqual([left?.status, left?.tries, left?.lastError], ['queued', 0, undefined])
})

test('10,000 entries: memory follows their number, not their payloads', { timeout: 60_000 }, async t => {
  const { outbox, net, run } = await openOutbox(t)
  await outbox.add('7', { text: 'x'.repeat(100_000) })
  const [name = ''] = entryFiles(outbox.dir)
  const first = join(outbox.dir, name)
  const { size } = statSync(first)
  for (let i = 1; i < 10_000; i++) {
    // One file under many names: the head of each says the same id, which only the peer would look at.
    linkSync(first, join(outbox.dir, `${String(i).padStart(16, '0')}-${size}-m${i}.msg`))
  }
  const before = process.memoryUsage().rss
  const running = run({ retryMinMs: 3_600_000, retryMaxMs: 3_600_000 })
  await until(() => net.dialled.length > 0)
  const entries = await outbox.list()
  const grown = process.memoryUsage().rss - before
  assert.equal(entries.length, 10_000)
  // Their payloads are 1 GB.
  assert.ok(grown < 200 * 2 ** 20, `${Math.round(grown / 2 ** 20)} MiB`)
  await running.stop()
})

test('errors of deliveries mean what they should', async () => {
  const { verdictOf } = await import('#lib/outbox/run/verdict.js')
  const cases: [unknown, string][] = [
    [new DriverError('DAEMON_GONE', ''), 'daemon'],
    [new DriverError('DIAL_FAILED', ''), 'peer'],
    [new DriverError('DAEMON_REFUSED', ''), 'peer'],
    [new DriverError('TIMED_OUT', ''), 'peer'],
    [new DriverError('ABORTED', ''), 'stopped'],
    [new DeliveryError('ANSWER_TIMED_OUT', ''), 'peer'],
    [new DeliveryError('CONNECTION_CLOSED', ''), 'peer'],
    [new DeliveryError('ANSWER_INVALID', ''), 'peer'],
    [new DeliveryError('PEER_REFUSED', ''), 'refused'],
    [new DeliveryError('PEER_UNSUPPORTED', ''), 'never'],
    [new DeliveryError('SOURCE_CHANGED', ''), 'never'],
    [new WireError('FRAME_TOO_LARGE', ''), 'never'],
    [Object.assign(new Error(), { code: 'EMFILE' }), 'peer'],
  ]
  for (const [error, verdict] of cases) assert.equal(verdictOf(error), verdict)
})
