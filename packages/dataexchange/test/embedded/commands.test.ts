import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command, decodeJson, encodeConnId, encodeMessage, encodePort } from '#lib/pilot/ipc-messages.js'
import { connectTo, startDaemon } from '../../../../test/helpers/embedded.js'
import { tempDir } from '../../../../test/helpers/temp-dir.js'

test('[ipc.bind] [ipc.unbind] BIND and UNBIND: one owner a port, freed by it or with it', async t => {
  const a = await startDaemon(t, tempDir(t))
  const [one, two] = [await connectTo(t, a), await connectTo(t, a)]
  assert.deepEqual([...(await one.ask(Command.Bind, Command.BindOk, encodePort(1001)))], [0x03, 0xe9])
  await assert.rejects(two.bind(1001), /port 1001 is already bound/)
  await assert.rejects(one.bind(1001), /port 1001 is already bound/)
  await assert.rejects(one.bind(0), /port 0/)
  const unbind = (client: typeof one) => client.ask(Command.Unbind, Command.UnbindOk, encodePort(1001))
  await assert.rejects(unbind(two), /not bound by this client/)
  assert.deepEqual([...(await unbind(one))], [...encodePort(1001)])
  await assert.rejects(one.dial(a.address, 1001), /nothing listens on port 1001/)
  await two.bind(1001)
  two.socket.destroy()
  await two.closed
  // The daemon sees the end of the socket in its own time.
  while (((await one.json(Command.Info)).ports as number) > 0);
  await one.bind(1001)
})

test('UNBIND leaves the streams alone', async t => {
  const a = await startDaemon(t, tempDir(t))
  const client = await connectTo(t, a)
  await client.bind(7)
  const connId = await client.dial(a.address, 7)
  const { connId: accepted } = await client.accepted()
  await client.ask(Command.Unbind, Command.UnbindOk, encodePort(7))
  await client.say(connId, 'still here')
  await client.close(connId)
  assert.equal(String(await client.allOf(accepted)), 'still here')
})

test('[ipc.info] [ipc.health] INFO and HEALTH describe the node and its state', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const client = await connectTo(t, a)
  await client.bind(1001)
  const info = await client.json(Command.Info)
  assert.equal(info.node_id, a.address.node)
  assert.equal(info.address, `${a.address}`)
  assert.equal(info.hostname, 'a')
  assert.equal(info.uptime_secs, 0)
  assert.match(String(info.version), /^embedded\/\d+\.\d+\.\d+/)
  assert.ok(Array.isArray(info.features))
  assert.equal(info.ports, 1)
  assert.equal(info.peers, 1)
  const [peer, ...others] = info.peer_list as Record<string, unknown>[]
  assert.deepEqual(
    [peer?.node_id, peer?.address, peer?.hostname, others.length],
    [b.address.node, `${b.address}`, 'b', 0],
  )
  const health = await client.json(Command.Health)
  assert.equal(health.status, 'ok')
  assert.equal(health.address, `${a.address}`)
  assert.equal(health.uptime_seconds, 0)
  // pilotctl reads all of these as numbers, in both answers, and dies where one is missing.
  for (const answer of [info, health]) {
    for (const name of NUMBERS) assert.equal(typeof answer[name], 'number', name)
  }
})

test('[ipc.resolve] nodes find each other by hostname', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'alpha'), await startDaemon(t, folder, 'beta')]
  const client = await connectTo(t, a)
  const answer = { node_id: b.address.node, address: `${b.address}`, hostname: 'beta' }
  assert.deepEqual(await client.json(Command.ResolveHostname, 'beta'), answer)
  assert.deepEqual(await client.json(Command.ResolveHostname, 'BETA'), answer)
  assert.equal((await client.json(Command.ResolveHostname, 'alpha')).node_id, a.address.node)
  await assert.rejects(client.json(Command.ResolveHostname, 'gamma'), /no node named gamma on this machine/)
  await assert.rejects(client.json(Command.ResolveHostname, '../../etc'), /is not a hostname/)
  await b.close()
  await assert.rejects(client.json(Command.ResolveHostname, 'beta'), /no node named beta/)
})

test('[ipc.set-hostname] SET-HOSTNAME renames the node, unless the name is taken or invalid', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const [client, other] = [await connectTo(t, a), await connectTo(t, b)]
  const answer = await client.json(Command.SetHostname, 'New-Name')
  assert.deepEqual(answer, { node_id: a.address.node, address: `${a.address}`, hostname: 'new-name' })
  assert.equal(a.hostname, 'new-name')
  assert.equal((await other.json(Command.ResolveHostname, 'new-name')).node_id, a.address.node)
  await assert.rejects(other.json(Command.ResolveHostname, 'a'), /no node named a/)

  await assert.rejects(client.json(Command.SetHostname, 'b'), /taken by another node/)
  for (const name of ['', '-a', 'a-', 'a.b', 'a/b', 'ä', 'a b', 'x'.repeat(64)]) {
    await assert.rejects(client.json(Command.SetHostname, name), /is not a hostname/, name)
  }
  assert.equal(a.hostname, 'new-name')
  // The name given up is free for the other node.
  await other.json(Command.SetHostname, 'a')
  assert.equal((await client.json(Command.ResolveHostname, 'a')).node_id, b.address.node)
})

test('two clients rename at once: the node has one name, and is found by it', async t => {
  const a = await startDaemon(t, tempDir(t))
  const [one, two] = [await connectTo(t, a), await connectTo(t, a)]
  await Promise.all([one.json(Command.SetHostname, 'left'), two.json(Command.SetHostname, 'right')])
  assert.equal((await one.json(Command.ResolveHostname, a.hostname)).node_id, a.address.node)
  const gone = a.hostname === 'left' ? 'right' : 'left'
  await assert.rejects(one.json(Command.ResolveHostname, gone), /no node named/)
})

test('HANDSHAKE: the nodes of this machine trust each other, and nobody else', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const client = await connectTo(t, a)
  const handshake = async (...payload: number[]) =>
    decodeJson(await client.ask(Command.Handshake, Command.HandshakeOk, Uint8Array.from(payload)))
  const bytesOf = (id: number) => [...encodeConnId(id)]
  const unknown = (a.address.node ^ b.address.node) >>> 0

  for (const [id, trusted] of [
    [a.address.node, true],
    [b.address.node, true],
    [unknown, false],
  ] as const) {
    assert.deepEqual(await handshake(7, ...bytesOf(id), 0, 0, 0, 0), { node_id: id, trusted })
  }
  const { trusted } = (await handshake(5)) as { trusted: { node_id: number; mutual: boolean }[] }
  assert.deepEqual(
    trusted.map(({ node_id, mutual }) => [node_id, mutual]),
    [[b.address.node, true]],
  )
  assert.deepEqual(await handshake(4), { pending: [] })
  const { node } = b.address
  assert.deepEqual(await handshake(1, ...bytesOf(node), 104, 105), { node_id: node, status: 'sent' })
  await assert.rejects(handshake(1, ...bytesOf(unknown)), /no node \d+ runs on this machine/)
  for (const request of [2, 3, 6, 99]) {
    await assert.rejects(handshake(request, ...bytesOf(node)), /trust each other/)
  }
  await assert.rejects(handshake(), /trust each other/)
})

test('unknown commands are answered with ERROR, and change nothing', async t => {
  const client = await connectTo(t, await startDaemon(t, tempDir(t)))
  for (const [command, name] of [
    [0x39, '0x39'],
    [0x0b, '0x0b'],
    [0xff, '0xff'],
  ] as const) {
    await assert.rejects(client.ask(command, 0, new Uint8Array(3)), { message: `unknown command: ${name}` })
  }
  assert.equal((await client.json(Command.Health)).status, 'ok')
})

test('[ipc.max-message] [ipc.no-command] a malformed message ends the connection of its sender only', async t => {
  const a = await startDaemon(t, tempDir(t))
  const bystander = await connectTo(t, a)
  const malformed = [
    Buffer.from([0, 0, 0, 0]),
    Buffer.from([0, 0x10, 0, 1, Command.Send]),
    Buffer.concat(encodeMessage(Command.Bind, Uint8Array.of(1))),
    Buffer.concat(encodeMessage(Command.Dial, new Uint8Array(7))),
    Buffer.concat(encodeMessage(Command.Send, new Uint8Array(3))),
    Buffer.concat(encodeMessage(Command.Close)),
    Buffer.concat(encodeMessage(Command.Handshake, Uint8Array.of(7, 0, 0))),
  ]
  for (const bytes of malformed) {
    const client = await connectTo(t, a)
    await client.write(bytes)
    await client.closed
  }
  assert.equal((await bystander.json(Command.Health)).status, 'ok')
})

test('[ipc.max-message] a message of exactly 1 MiB is taken', async t => {
  const a = await startDaemon(t, tempDir(t))
  const client = await connectTo(t, a)
  await client.bind(7)
  const connId = await client.dial(a.address, 7)
  const { connId: accepted } = await client.accepted()
  const data = Buffer.alloc(1024 * 1024 - 5, 'x')
  await client.send(Command.Send, encodeConnId(connId), data)
  await client.close(connId)
  assert.ok((await client.allOf(accepted)).equals(data))
})

const NUMBERS = [
  'peers',
  'connections',
  'authenticated_peers',
  'encrypted_peers',
  'relay_peer_count',
  'handshake_pending_count',
  'accept_queue_drops',
  'bytes_sent',
  'bytes_recv',
]
