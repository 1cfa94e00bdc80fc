import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { parseAddress } from '#lib/pilot/address.js'
import { Command, encodeDial } from '#lib/pilot/ipc-messages.js'
import { connectTo, startDaemon } from '../../../../test/helpers/embedded.js'
import { spawnLine } from '../../../../test/helpers/spawn-line.js'
import { tempDir } from '../../../../test/helpers/temp-dir.js'

test('[ipc.dial] [ipc.accept] [ipc.send] [ipc.recv] [ipc.send-order] nodes reach each other by address, both ways', async t => {
  const folder = tempDir(t)
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(name => startDaemon(t, folder, name)))
  const server = await connectTo(t, a!)
  await server.bind(1001)
  for (const from of [b!, c!]) {
    const client = await connectTo(t, from)
    const connId = await client.dial(a!.address, 1001)
    const accepted = await server.accepted()
    assert.equal(accepted.localPort, 1001)
    assert.ok(accepted.remote.address.equals(from.address))
    assert.ok(accepted.remote.port >= 49_152)
    await client.say(connId, 'question')
    await client.say(connId, ' and more')
    await client.close(connId)
    assert.equal(String(await server.allOf(accepted.connId)), 'question and more')
  }
  const client = await connectTo(t, b!)
  const connId = await client.dial(a!.address, 1001)
  const { connId: accepted } = await server.accepted()
  await server.say(accepted, 'answer')
  await server.close(accepted)
  assert.equal(String(await client.allOf(connId)), 'answer')
})

test('[ipc.dial-self] a node dials its own address, also from the client that listens', async t => {
  const a = await startDaemon(t, tempDir(t))
  const client = await connectTo(t, a)
  await client.bind(7)
  const connId = await client.dial(a.address, 7)
  const accepted = await client.accepted()
  assert.ok(accepted.remote.address.equals(a.address))
  await client.say(connId, 'to myself')
  await client.close(connId)
  assert.equal(String(await client.allOf(accepted.connId)), 'to myself')
})

test('[ipc.error] an impossible dial is refused with the reason', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const client = await connectTo(t, a)
  const cases: [string, number, RegExp][] = [
    [`${b.address}`, 1001, new RegExp(`refused: nothing listens on port 1001 of ${b.address}$`)],
    [`${a.address}`, 1001, new RegExp(`refused: nothing listens on port 1001 of ${a.address}$`)],
    ['0:0000.0000.0001', 1001, /no node with the address 0:0000\.0000\.0001 on this machine.*same user/],
    [`${b.address}`, 0, /port 0/],
    ['0:0000.FFFF.FFFF', 1001, /broadcast/],
  ]
  for (const [address, port, reason] of cases) await assert.rejects(client.dial(address, port), reason)
  await b.close()
  await assert.rejects(client.dial(b.address, 1001), /no node with the address/)
})

test('requests may come before earlier ones are answered; answers keep their order', async t => {
  const a = await startDaemon(t, tempDir(t))
  const client = await connectTo(t, a)
  await client.bind(7)
  const target = encodeDial(a.address, 7)
  const nowhere = encodeDial(parseAddress('0:0000.0000.0001'), 7)
  void client.send(Command.Dial, target)
  void client.send(Command.Dial, nowhere)
  void client.send(Command.Health)
  void client.send(Command.Dial, target)
  const answers = [Command.DialOk, Command.Error, Command.HealthOk]
  const commands = []
  for (let n = 0; n < 4; n++) commands.push((await client.next(...answers)).command)
  assert.deepEqual(commands, [Command.DialOk, Command.Error, Command.HealthOk, Command.DialOk])
})

test('[ipc.close-after-send] bytes sent before CLOSE arrive although the client leaves at once with unread bytes', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const server = await connectTo(t, a)
  await server.bind(1001)
  const data = randomBytes(300_000)
  for (let n = 0; n < 20; n++) {
    const client = await connectTo(t, b)
    const connId = await client.dial(a.address, 1001)
    const { connId: accepted } = await server.accepted()
    client.socket.pause()
    await server.say(accepted, randomBytes(200_000))
    for (let at = 0; at < data.length; at += 50_000) void client.say(connId, data.subarray(at, at + 50_000))
    await client.close(connId)
    client.socket.destroy()
    assert.ok((await server.allOf(accepted)).equals(data), `round ${n}`)
    server.received.delete(accepted)
  }
})

test('[ipc.close-pushed] bytes sent after the other side has closed are discarded, and both sides end', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const [server, client] = [await connectTo(t, a), await connectTo(t, b)]
  await server.bind(1001)
  const connId = await client.dial(a.address, 1001)
  const { connId: accepted } = await server.accepted()
  await client.close(connId)
  await client.ended(connId)
  await server.say(accepted, randomBytes(500_000))
  await server.ended(accepted)
  assert.equal(client.received.get(connId), undefined)
  assert.equal((await client.json(Command.Health)).connections, 0)
  assert.equal((await server.json(Command.Health)).connections, 0)
})

test('[ipc.close] CLOSE of an unknown connection is answered, SEND to one is ignored', async t => {
  const client = await connectTo(t, await startDaemon(t, tempDir(t)))
  await client.say(99, 'nobody')
  await client.close(99)
  await client.ended(99)
  assert.equal((await client.json(Command.Health)).status, 'ok')
})

test('a client cannot touch the streams of another', async t => {
  const a = await startDaemon(t, tempDir(t))
  const [one, two] = [await connectTo(t, a), await connectTo(t, a)]
  await one.bind(7)
  const connId = await one.dial(a.address, 7)
  const { connId: accepted } = await one.accepted()
  await two.say(connId, 'intruder')
  await two.close(connId)
  await two.ended(connId)
  await one.say(connId, 'mine')
  await one.close(connId)
  assert.equal(String(await one.allOf(accepted)), 'mine')
})

test('[ipc.client-gone] a client that is killed takes its ports and streams with it; bytes it had sent arrive', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const server = await connectTo(t, a)
  await server.bind(1001)
  const spawned = spawnLine(t, 'client-child.js', b.socketPath, '2000', `${a.address}`, '1001', 'last words')
  const accepted = await server.accepted()
  const { child, line } = await spawned
  assert.equal(line, 'done')
  const other = await connectTo(t, b)
  await assert.rejects(other.bind(2000), /port 2000 is already bound/)
  child.kill('SIGKILL')
  assert.equal(String(await server.allOf(accepted.connId)), 'last words')
  await other.bind(2000)
})

test('a node that ends takes its streams with it', async t => {
  const folder = tempDir(t)
  const [a, b] = [await startDaemon(t, folder, 'a'), await startDaemon(t, folder, 'b')]
  const [server, client] = [await connectTo(t, a), await connectTo(t, b)]
  await server.bind(1001)
  const connId = await client.dial(a.address, 1001)
  const { connId: accepted } = await server.accepted()
  await server.say(accepted, 'before the end')
  await server.json(Command.Health)
  await a.close()
  assert.equal(String(await client.allOf(connId)), 'before the end')
  await server.closed
})

test('[ipc.cancel] CANCEL ends the dials in flight with an ERROR', async t => {
  const a = await startDaemon(t, tempDir(t))
  const [listener, feeder, client] = [await connectTo(t, a), await connectTo(t, a), await connectTo(t, a)]
  await listener.bind(7)
  const connId = await feeder.dial(a.address, 7)
  // A listener that does not read what it is sent: dials wait for it.
  listener.socket.pause()
  await feeder.say(connId, randomBytes(1_000_000))
  await feeder.json(Command.Health)

  const dial = client.dial(a.address, 7)
  await client.send(Command.Cancel)
  await assert.rejects(dial, /was aborted/)
  listener.socket.resume()
  await client.dial(a.address, 7)
})
