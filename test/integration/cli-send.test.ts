import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Sandbox } from '../helpers/cli.js'

const box = new Sandbox({ after })
const { dir } = box
let address = ''

before(async () => {
  const serving = box.start(['serve', '--json', '--hostname', 'alice', '--durability', 'os'])
  address = JSON.parse(await serving.line(/"status":"ok"/)).data.address
})

async function newest(): Promise<Record<string, unknown>> {
  return (await box.ok(['inbox', '--latest', '--full'])).messages[0]
}

test('send-message sends a text given after the target, and tells the answer', async () => {
  const { message_id: id, ...sent } = await box.ok(['send-message', address, 'grüße'])
  assert.match(id, /^[0-9a-f]{32}$/)
  assert.deepEqual(sent, {
    target: address,
    to: address,
    type: 'text',
    seq: 1,
    bytes: 7,
    tagged: true,
    ack: 'ACK TEXT 7 bytes',
  })
  assert.equal((await newest()).message_id, id)
  const { type, data, from } = await newest()
  assert.deepEqual({ type, data, from }, { type: 'TEXT', data: 'grüße', from: address })
})

test('a target may be a hostname or a node id; global options may stand before and after the verb', async () => {
  const byName = await box.ok(['--home', box.home, 'send-message', 'alice', 'x', '--socket', box.socket])
  assert.equal(byName.to, address)
  const nodeId = Number.parseInt(address.slice(7).replace('.', ''), 16)
  assert.equal((await box.ok(['send-message', String(nodeId), 'x'])).to, address)
})

test('send-message reads stdin, byte for byte', async () => {
  const bytes = Buffer.from([0xff, 0, 0x0a, 0x1b])
  await box.ok(['send-message', address, '--data', '-', '--type', 'binary'], bytes)
  const { id, type, data_b64: base64 } = await newest()
  assert.equal(type, 'BINARY')
  assert.equal(base64, bytes.toString('base64'))
  const { stdout } = await box.run(['inbox', 'read', String(id)])
  assert.equal(stdout, bytes.toString())
})

test('send-message reads a file, and sends JSON as JSON', async () => {
  const path = join(dir, 'task.json')
  writeFileSync(path, '{"n": 1}')
  const sent = await box.ok(['send-message', address, '--data-file', path, '--type', 'json'])
  assert.equal(sent.ack, 'ACK JSON 8 bytes')
  assert.equal((await newest()).data, '{"n": 1}')
})

test('--count sends several times and tells of each', async () => {
  const sent = await box.ok(['send-message', address, '--data', 'again', '--count', '3'])
  assert.deepEqual(
    sent.results.map(({ seq, ack }: { seq: number; ack: string }) => [seq, ack]),
    [1, 2, 3].map(seq => [seq, 'ACK TEXT 5 bytes']),
  )
  const text = await box.run(['send-message', address, '--data', 'again', '--count', '2'])
  assert.equal(text.stdout, '1/2  ACK TEXT 5 bytes\n2/2  ACK TEXT 5 bytes\n')
  assert.equal(text.stderr, '')
})

test('--trace tells how long each leg took', async () => {
  const sent = await box.ok(['send-message', address, 'x', '--trace'])
  assert.equal(sent.inner_ack, 'ACK TEXT 1 bytes')
  const sum = sent.to_receiver_ms + sent.receiver_process_ms + sent.return_trip_ms
  assert.ok(Math.abs(sum - sent.total_ms) < 0.001)
  const { stdout } = await box.run(['send-message', address, 'x', '--trace'])
  assert.match(stdout, /^ACK TEXT 1 bytes {2}total \d+\.\d\d ms \(to receiver /)
})

test('--quiet leaves the confirmation out', async () => {
  const sent = await box.run(['send-message', address, 'x', '--quiet'])
  assert.deepEqual(sent, { code: 0, signal: null, stdout: '', stderr: '' })
})

test('send-file sends a file in one frame, under its own name or another', async () => {
  const path = join(dir, 'data file.bin')
  const bytes = Buffer.alloc(600_000, 'pilot')
  writeFileSync(path, bytes)
  const sent = await box.ok(['send-file', address, path, '--no-stream'])
  const { elapsed_ms: elapsed, throughput_mbps: throughput, ...rest } = sent
  assert.deepEqual(rest, {
    filename: 'data file.bin',
    bytes: 600_000,
    bytes_sent: 600_000,
    bytes_resumed: 0,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    destination: address,
    transport: 'file',
    verified: false,
    reconnects: 0,
    ack: 'ACK FILE 600000 bytes',
  })
  assert.ok(elapsed >= 0 && throughput > 0)
  await box.ok(['send-file', address, path, '--name', 'other.bin'])
  const { files, total, shown, dir: folder } = await box.ok(['received'])
  assert.deepEqual([total, shown, folder], [2, 2, join(box.home, 'received')])
  assert.match(files[0].name, /^other-\d{8}-\d{6}\.\d{3}-\d{6}\.bin$/)
  assert.match(files[1].name, /^data file-.*\.bin$/)
  assert.deepEqual(readFileSync(files[1].path), bytes)
})

test('send-file takes an empty file, and one whose name begins with a dash', async () => {
  writeFileSync(join(dir, '-x'), '')
  const { stdout } = await box.run(['send-file', address, '--quiet', '--', `${dir}/-x`])
  assert.equal(stdout, '')
  assert.equal((await box.ok(['received', '--limit', '1'])).files[0].bytes, 0)
})

test('a timeout longer than the longest timer means no timeout', async () => {
  const path = join(dir, 'patient')
  writeFileSync(path, 'x')
  assert.equal((await box.ok(['send-file', address, path, '--timeout', '30d'])).bytes, 1)
})

test('trace tells percentiles of each leg, and a histogram', async () => {
  const traced = await box.ok(['trace', address, '--count', '5', '--size', '1KiB', '--interval', '1ms'])
  assert.equal(traced.probes.length, 5)
  assert.deepEqual(Object.keys(traced.legs), [
    'to_receiver_ms',
    'receiver_process_ms',
    'return_trip_ms',
    'total_ms',
  ])
  const { min, p50, p90, p99, max } = traced.legs.total_ms
  assert.ok(0 < min && min <= p50 && p50 <= p90 && p90 <= p99 && p99 <= max)
  const counted = traced.histogram.reduce((sum: number, bucket: { count: number }) => sum + bucket.count, 0)
  assert.equal(counted, 5)
  assert.equal((await newest()).bytes, 1024)

  const { stdout } = await box.run(['trace', address, '--count', '2'])
  assert.match(stdout, /^2 probes of 64 bytes to /)
  assert.match(stdout, /total( +\d+\.\d{3}){5}/)
  assert.match(stdout, /█{40}/)
})

test('status tells of the node, the service and the folders', async () => {
  const status = await box.ok(['status'])
  assert.equal(status.daemon.running, true)
  assert.equal(status.daemon.address, address)
  assert.equal(status.daemon.hostname, 'alice')
  assert.deepEqual(status.data_exchange, { port: 1001, answering: true })
  assert.ok(status.inbox.messages > 0 && status.inbox.bytes > 0)
  assert.equal(status.received.dir, join(box.home, 'received'))
  const { stdout } = await box.run(['status'])
  assert.match(stdout, /^address: +0:0000\./m)
  assert.match(stdout, /^port 1001: +data exchange answers$/m)
})

test('what a peer sends never reaches a terminal as it is', async () => {
  const evil = '\x1b]0;owned\x07 \u202egnp.exe \u0085 \u200b'
  await box.ok(['send-message', address, '--data', evil])
  const path = join(dir, 'f')
  writeFileSync(path, '')
  await box.ok(['send-file', address, path, '--name', 'a\x1b[2J\u202e.txt'])
  const outputs = await Promise.all(
    [['inbox'], ['inbox', '--full'], ['inbox', '--json'], ['received'], ['received', '--json']].map(args =>
      box.run(args),
    ),
  )
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  for (const { stdout } of outputs) assert.doesNotMatch(stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]/)
  assert.match(outputs[0]?.stdout ?? '', /\\x1b\]0;owned\\x07 \\u\{202e\}gnp\.exe/)
  assert.equal(JSON.parse(outputs[2]?.stdout ?? '').data.messages[0].preview, evil)
})
