import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { PLAIN } from './frame-cases.js'
import { answerTo, text } from './frames.js'
import { IS_OLD, isOlderThan, KNOWS_IDS, twoNodes } from './original.js'
import { recorded } from './recording/recorder.js'
import { numbered } from './recording/runs.js'

// Our service and our command line on the original's daemons, against the original's service and its pilotctl.
// anna's daemon leaves port 1001 to pilot-dx serve; bert's has the service of the original.

const ANNA = '0:0000.0000.0001'
const BERT = '0:0000.0000.0002'
/** Daemons of 1.12 may stall on a frame of several hundred kilobytes, whoever sends and whoever receives it. */
const SAFE_SIZE = 100_000
/** 1.12.3 takes FILESTREAM, 1.7.2 does not know it. */
const HAS_NO_STREAM = isOlderThan(1, 12)
const SIZE = 1_000_000
/** The part that is already there. */
const KEPT = 234_567
const NO_SERVICE = { a: ['-no-dataexchange'] }

const skip = IS_OLD ? 'this version cannot' : false

test('serve takes what the original’s node sends: messages, a trace, files', async t => {
  recorded(t, 'serve-takes-all')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const { data } = await anna.serve()
  assert.deepEqual([data.embedded, data.address], [false, ANNA])
  const bytes = numbered(IS_OLD ? SAFE_SIZE : 400_000)
  const file = bert.write('photo.raw', bytes)

  assert.equal((await bert.pilotctlOk('send-message', 'anna', '--data', 'hi')).ack, 'ACK TEXT 2 bytes')
  const json = await bert.pilotctlOk('send-message', 'anna', '--data', '[1]', '--type', 'json')
  assert.equal(json.ack, 'ACK JSON 3 bytes')
  for (const flags of [[], ['--no-stream']]) await bert.pilotctlOk('send-file', 'anna', file, ...flags)

  assert.deepEqual(
    anna.messages().map(({ type, from, data }) => [type, from, data]),
    [
      ['TEXT', BERT, 'hi'],
      ['JSON', BERT, '[1]'],
    ],
  )
  const files = [...anna.files()]
  assert.deepEqual(
    files.map(([name, content]) => [name.replace(/\d/g, '0'), content.equals(bytes)]),
    Array(2).fill(['photo-00000000-000000.000-000000.raw', true]),
  )
  assert.equal((await anna.pilotctlOk('inbox')).total, 2)
  assert.equal((await anna.pilotctlOk('received')).total, 2)
})

test('serve takes bytes from a file, several messages on one connection, a trace', { skip }, async t => {
  recorded(t, 'serve-takes-bytes-trace')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const bytes = numbered(400_000)
  const file = bert.write('bytes', bytes)
  const binary = await bert.pilotctlOk('send-message', 'anna', '--data-file', file, '--type', 'binary')
  assert.equal(binary.ack, 'ACK BINARY 400000 bytes')
  const traced = await bert.pilotctlOk('send-message', 'anna', '--data', 'timed', '--trace')
  assert.equal(traced.inner_ack, 'ACK TEXT 5 bytes')
  const many = await bert.pilotctlOk('send-message', 'anna', '--data', 'x', '--count', '5', '--reuse-conn')
  assert.equal(many.results.length, 5)
  const messages = anna.messages()
  assert.equal(messages.length, 7)
  assert.ok(Buffer.from(String(messages[0]?.data_b64), 'base64').equals(bytes))
})

test('send-message and send-file reach the original’s service, by name and by address', async t => {
  recorded(t, 'client-sends-all')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const bytes = numbered(IS_OLD ? SAFE_SIZE : 700_000)
  const file = anna.write('photo.raw', bytes)
  const hi = await anna.ok(['send-message', BERT, 'hi'])
  assert.deepEqual([hi.ack, hi.tagged], ['ACK TEXT 2 bytes', KNOWS_IDS])
  assert.equal((await anna.ok(['send-message', 'bert', '[1]', '--type', 'json'])).ack, 'ACK JSON 3 bytes')
  const binary = ['send-message', 'bert', '--data-file', file, '--type', 'binary']
  assert.equal((await anna.ok(binary)).ack, `ACK BINARY ${bytes.length} bytes`)
  const { transport } = await anna.ok(['send-file', BERT, file])
  assert.equal(transport, HAS_NO_STREAM ? 'file' : 'filestream')

  const [text, json, large] = bert.messages()
  assert.deepEqual([text?.type, text?.data, text?.from], ['TEXT', 'hi', ANNA])
  assert.deepEqual([json?.type, json?.data], ['JSON', '[1]'])
  assert.deepEqual([large?.type, large?.bytes], ['BINARY', bytes.length])
  if (!IS_OLD) assert.ok(Buffer.from(String(large?.data_b64), 'base64').equals(bytes))
  const [[name, content] = ['', Buffer.of()], ...others] = bert.files()
  // The oldest versions count nothing.
  assert.match(name, /^photo-\d{8}-\d{6}\.\d{3}(-\d{6})?\.raw$/)
  assert.ok(content.equals(bytes) && others.length === 0)

  // Our readers on the folders that the original has filled.
  const inbox = await bert.ok(['inbox'])
  assert.equal(inbox.total, bert.messages().length)
  const { id } = inbox.messages.at(-1)
  assert.equal((await bert.ok(['inbox', 'read', id])).data, 'hi')
  const { files } = await bert.ok(['received'])
  assert.deepEqual(
    files.map((entry: Record<string, unknown>) => [entry.name, entry.bytes]),
    [[name, bytes.length]],
  )
})

test('send-file in chunks to the original’s service: resumed, and past a damaged part that it keeps', {
  skip,
}, async t => {
  recorded(t, 'client-resumes')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const bytes = numbered(SIZE)
  const file = anna.write('photo.raw', bytes)
  const id = createHash('sha256').update(bytes).digest('hex').slice(0, 32)
  const keep = (content: Uint8Array) => bert.write(join('.pilot', 'received', '.partial', id), content)
  const send = async () => {
    const {
      transport,
      verified,
      bytes_sent: sent,
      bytes_resumed: resumed,
    } = await anna.ok(['send-file', BERT, file])
    const stored = [...bert.files().values()].filter(content => content.equals(bytes)).length
    return { transport, verified, sent, resumed, stored }
  }
  const all = { transport: 'filestream', verified: true, sent: bytes.length, resumed: 0 }
  assert.deepEqual(await send(), { ...all, stored: 1 })

  keep(bytes.subarray(0, KEPT))
  assert.deepEqual(await send(), { ...all, sent: SIZE - KEPT, resumed: KEPT, stored: 2 })

  keep(numbered(SIZE, 2))
  assert.deepEqual(await send(), { ...all, transport: 'file', verified: false, stored: 3 })
})

test('trace measures the way to the original’s service', { skip }, async t => {
  recorded(t, 'client-trace')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.ok(['trace', 'bert', '--count', '2'])
  assert.deepEqual(
    bert.messages().map(({ type, bytes }) => [type, bytes]),
    Array(2).fill(['TEXT', 64]),
  )
})

test('what cannot be reached: no service is exit code 4, no node is 4 too', async t => {
  recorded(t, 'client-unreachable')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  const service = await bert.fails(['send-message', ANNA, 'x'])
  assert.deepEqual([service.exit, service.error_code], [4, 'DIAL_FAILED'])
  const name = await anna.fails(['send-message', 'nobody', 'x'])
  assert.equal(name.exit, 4)
  const status = await anna.ok(['status'])
  assert.deepEqual([status.daemon.hostname, status.data_exchange.answering], ['anna', false])
  const taken = await bert.fails(['serve'])
  assert.deepEqual([taken.exit, taken.error_code], [1, 'PORT_IN_USE'])
  assert.match(taken.hint, /-no-dataexchange/)
})

test('both services answer the same frames with the same texts, and store the same fields', {
  skip,
}, async t => {
  recorded(t, 'frames-plain')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const driver = await bert.driver(t)
  for (const [what, frame] of PLAIN) {
    const answers = [await answerTo(driver, ANNA, frame), await answerTo(driver, BERT, frame)]
    assert.match(answers[0] ?? '', /^1 ACK \w+ \d+ bytes$|^closed$/, what)
    assert.equal(answers[0], answers[1], what)
  }

  const [ours, theirs] = [anna.messages(), bert.messages()]
  assert.equal(ours.length, theirs.length)
  for (const [index, message] of theirs.entries()) {
    // Our fields that the original has too: `data` is missing where newer versions have `data_b64`.
    const same = Object.fromEntries(Object.keys(message).map(name => [name, ours[index]?.[name]]))
    assert.deepEqual({ ...same, received_at: '' }, { ...message, received_at: '' })
    for (const time of [message.received_at, same.received_at]) {
      assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/)
    }
  }
  const names = (box: typeof anna) => box.inboxNames().map(name => name.replace(/-.*\./, '.'))
  assert.deepEqual(names(anna), names(bert))
  const files = (box: typeof anna) =>
    [...box.files()].map(([name, content]) => `${name.replace(/\d/g, '0')} ${content}`).sort()
  // An empty name: acknowledged and dropped by the original.
  assert.deepEqual(
    files(anna).filter(file => !file.startsWith('unnamed-')),
    files(bert),
  )
})

test('a type that neither knows: ERR from both, ACK from older versions; nothing is stored', async t => {
  recorded(t, 'frames-unknown')
  const { a: anna, b: bert } = await twoNodes(t, NO_SERVICE)
  await anna.serve()
  const driver = await bert.driver(t)
  const refusal = '1 ERR UNKNOWN(99) save failed: unsupported frame type 99'
  const frame = { type: 99, payload: text('x') }
  assert.equal(await answerTo(driver, ANNA, frame), refusal)
  assert.equal(await answerTo(driver, BERT, frame), KNOWS_IDS ? refusal : '1 ACK UNKNOWN(99) 1 bytes')
  assert.equal(anna.messages().length, 0)
})

test('the daemon is killed and comes back: serve binds again, and messages arrive', async t => {
  const { a: anna, b: bert, daemonA } = await twoNodes(t, NO_SERVICE)
  const { running } = await anna.serve()
  await bert.pilotctlOk('send-message', 'anna', '--data', 'before')
  daemonA.child.kill('SIGKILL')
  await running.errorLine(/daemon closed the socket/)
  await anna.daemon('anna', '-no-dataexchange')
  await running.errorLine(/connected to the daemon again/)
  // To itself: the other daemon takes most of a minute to notice that its tunnel has ended.
  assert.equal((await anna.pilotctlOk('send-message', 'anna', '--data', 'after')).ack, 'ACK TEXT 5 bytes')
  assert.deepEqual(
    anna.messages().map(({ data }) => data),
    ['before', 'after'],
  )
})
