import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { IS_OLD, originalBox } from './original.js'
import { recorded } from './recording/recorder.js'
import { numbered } from './recording/runs.js'

// The original's pilotctl, on our embedded daemon and our service.

const skip = IS_OLD ? 'this version cannot, or tells it in another way' : false

async function served(t: TestContext, ...flags: string[]) {
  const box = originalBox(t)
  const { data } = await box.serve('--embedded', '--hostname', 'alice', ...flags)
  return { box, address: data.address as string, nodeId: data.node_id as number }
}

test('info, health, find, connections, trust and set-hostname are answered', async t => {
  recorded(t, 'pilotctl-info')
  const { box, address, nodeId } = await served(t)
  const info = await box.pilotctlOk('info')
  assert.deepEqual([info.address, info.node_id, info.hostname], [address, nodeId, 'alice'])
  assert.equal((await box.pilotctlOk('health')).status, 'ok')
  assert.equal((await box.pilotctlOk('find', 'alice')).address, address)
  assert.deepEqual((await box.pilotctlOk('connections')).connections, [])
  assert.deepEqual((await box.pilotctlOk('trust')).trusted, [])
  assert.deepEqual((await box.pilotctlOk('pending')).pending, [])
  assert.equal((await box.pilotctlOk('peers')).total, 0)
  await box.pilotctlOk('set-hostname', 'carol')
  assert.equal((await box.pilotctlOk('info')).hostname, 'carol')
})

test('the same verbs for people, who get no JSON', async t => {
  const { box, address } = await served(t)
  const info = await box.pilotctlText('info')
  assert.ok(info.includes('alice') && info.includes(address), info)
  assert.match(await box.pilotctlText('health'), /ok/)
  await box.pilotctlText('daemon', 'status')
  for (const verb of ['peers', 'connections', 'trust', 'pending', 'inbox', 'received']) {
    assert.notEqual(await box.pilotctlText(verb), '')
  }
})

test('send-message: text, JSON and binary, by address and by name', async t => {
  recorded(t, 'pilotctl-messages')
  const { box, address } = await served(t)
  const sent = await box.pilotctlOk('send-message', address, '--data', 'hello é')
  assert.deepEqual([sent.ack, sent.target, sent.bytes], ['ACK TEXT 8 bytes', address, 8])
  const json = await box.pilotctlOk('send-message', 'alice', '--data', '{"a":1}', '--type', 'json')
  assert.equal(json.ack, 'ACK JSON 7 bytes')
  const binary = await box.pilotctlOk('send-message', 'alice', '--data', 'bytes', '--type', 'binary')
  assert.equal(binary.ack, 'ACK BINARY 5 bytes')
  const [one, two, three] = box.messages()
  assert.deepEqual([one?.type, one?.data, one?.bytes, one?.from], ['TEXT', 'hello é', 8, address])
  assert.deepEqual([two?.type, two?.data], ['JSON', '{"a":1}'])
  assert.deepEqual([three?.type, three?.data_b64], ['BINARY', Buffer.from('bytes').toString('base64')])
})

test('send-message --count, with and without --reuse-conn, and --trace', { skip }, async t => {
  recorded(t, 'pilotctl-count-trace')
  const { box } = await served(t)
  for (const flags of [[], ['--reuse-conn']]) {
    const { results } = await box.pilotctlOk('send-message', 'alice', '--data', 'x', '--count', '3', ...flags)
    assert.deepEqual(
      results.map(({ ack }: { ack: string }) => ack),
      Array(3).fill('ACK TEXT 1 bytes'),
    )
  }
  const traced = await box.pilotctlOk('send-message', 'alice', '--data', 'timed', '--trace')
  assert.equal(traced.inner_ack, 'ACK TEXT 5 bytes')
  for (const leg of ['to_receiver_ms', 'receiver_process_ms', 'return_trip_ms', 'total_ms']) {
    assert.ok(traced[leg] >= 0 && traced[leg] < 5000, `${leg}: ${traced[leg]}`)
  }
  assert.equal(box.messages().length, 7)
})

test('send-message --wait takes the message that comes from the peer as its reply', { skip }, async t => {
  recorded(t, 'pilotctl-wait')
  const { box } = await served(t)
  // To itself: its own message is the first to come from this peer.
  const { reply } = await box.pilotctlOk('send-message', 'alice', '--data', 'question', '--wait', '5s')
  assert.deepEqual([reply.type, reply.data], ['TEXT', 'question'])
})

test('send-file, with and without --no-stream', async t => {
  recorded(t, 'pilotctl-files')
  const { box, address } = await served(t)
  const bytes = numbered(300_000)
  const file = box.write('photo.raw', bytes)
  for (const flags of [[], ['--no-stream']]) {
    const sent = await box.pilotctlOk('send-file', address, file, ...flags)
    assert.deepEqual([sent.filename, sent.bytes], ['photo.raw', bytes.length])
  }
  const files = [...box.files()]
  assert.equal(files.length, 2)
  for (const [name, content] of files) {
    assert.match(name, /^photo-\d{8}-\d{6}\.\d{3}-\d{6}\.raw$/)
    assert.ok(content.equals(bytes))
    assert.equal(statSync(join(box.home, 'received', name)).mode & 0o777, 0o600)
  }
})

test('what is refused is a failure for pilotctl too', { skip }, async t => {
  recorded(t, 'pilotctl-refused')
  const { box } = await served(t, '--inbox-max-bytes', '1KiB', '--received-max-bytes', '1KiB')
  const message = await box.pilotctl('send-message', 'alice', '--data', 'x'.repeat(3000))
  assert.deepEqual([message.code, message.error.code], [1, 'internal'])
  assert.match(message.error.message, /ERR TEXT save failed: inbox full/)
  const file = box.write('f', Buffer.alloc(3000))
  const refused = await box.pilotctl('send-file', 'alice', file)
  assert.equal(refused.code, 1)
  assert.match(refused.error.message, /received folder full/)
})

test('a node that does not exist is not_found or trust_required, never a dial', { skip }, async t => {
  recorded(t, 'pilotctl-unknown-node')
  const { box } = await served(t)
  const name = await box.pilotctl('send-message', 'nobody', '--data', 'x')
  assert.deepEqual([name.code, name.error.code], [1, 'not_found'])
  const address = await box.pilotctl('send-message', '0:0000.FFFF.0001', '--data', 'x')
  assert.deepEqual([address.code, address.error.code], [1, 'trust_required'])
  assert.deepEqual(box.messages(), [])
})

test('from one node of this machine to another, which pilotctl finds trusted', async t => {
  const { box, address } = await served(t)
  const socket = join(box.dir, 'bob.sock')
  const inbox = join(box.dir, 'bobs')
  const bob = box.start(['serve', '--json', '--socket', socket, '--home', inbox, '--hostname', 'bob'])
  const { data } = JSON.parse(await bob.line(/"status":"ok"/))
  const { trusted } = await box.pilotctlOk('trust')
  assert.deepEqual(
    trusted.map(({ node_id }: { node_id: number }) => node_id),
    [data.node_id],
  )
  assert.equal((await box.pilotctlOk('handshake', 'bob', 'hello')).status, 'sent')
  await box.pilotctlOk('send-message', 'bob', '--data', 'over')
  const event = JSON.parse(await bob.line(/message\.received/))
  assert.deepEqual([event.from, event.size], [address, 4])
})

test('pilotctl inbox reads, filters and clears our inbox', { skip }, async t => {
  const { box, address } = await served(t)
  for (const text of ['one', 'two', 'three']) await box.pilotctlOk('send-message', 'alice', '--data', text)
  const inbox = await box.pilotctlOk('inbox')
  assert.deepEqual([inbox.total, inbox.shown, inbox.dir], [3, 3, join(box.home, 'inbox')])
  assert.deepEqual(
    inbox.messages.map(({ preview, type, bytes, from }: Record<string, unknown>) => [
      preview,
      type,
      bytes,
      from,
    ]),
    ['three', 'two', 'one'].map(text => [text, 'TEXT', text.length, address]),
  )
  const [{ id }] = inbox.messages
  assert.ok(box.inboxNames().includes(`${id}.json`))
  assert.equal((await box.pilotctlOk('inbox', 'read', id)).data, 'three')
  assert.equal((await box.pilotctlOk('inbox', '--from', address, '--limit', '1')).shown, 1)
  const { cleared, remaining } = await box.pilotctlOk('inbox', '--clear')
  assert.deepEqual([cleared, remaining], [3, 0])
  assert.deepEqual(box.messages(), [])
  await box.pilotctlOk('send-message', 'alice', '--data', 'after')
  assert.equal(box.messages().length, 1)
})

test('pilotctl received lists and clears our files; ours reads what it reads', async t => {
  const { box, address } = await served(t)
  const file = join(box.dir, 'note.txt')
  writeFileSync(file, 'a note')
  await box.pilotctlOk('send-file', address, file)
  const { files, total } = await box.pilotctlOk('received')
  assert.deepEqual([total, files[0].bytes], [1, 6])
  assert.equal(readFileSync(files[0].path, 'utf8'), 'a note')
  const ours = await box.ok(['received'])
  assert.deepEqual(
    ours.files.map(({ name, bytes, path }: Record<string, unknown>) => [name, bytes, path]),
    files.map(({ name, bytes, path }: Record<string, unknown>) => [name, bytes, path]),
  )
  assert.equal((await box.pilotctlOk('received', '--clear')).cleared, 1)
  assert.equal(box.files().size, 0)
})
