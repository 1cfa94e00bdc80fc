import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { CLIENT_STALL_MS, DIAL_BACKLOG } from '#lib/embedded/client-session.js'
import { Command } from '#lib/pilot/ipc-messages.js'
import { connectTo, startDaemon } from '../../../../test/helpers/embedded.js'
import { IpcClient } from '../../../../test/helpers/ipc-client.js'
import { spawnNode } from '../../../../test/helpers/spawn-line.js'
import { tempDir } from '../../../../test/helpers/temp-dir.js'

const MiB = 1024 * 1024
const linux = process.platform === 'linux' ? false : 'reads /proc'

test('192 MiB to a slow reader: the same bytes, and bounded memory in both daemons', {
  skip: linux,
}, async t => {
  const folder = tempDir(t)
  const [a, b] = [await startChild(t, folder, 'a'), await startChild(t, folder, 'b')]
  const [server, client] = [await connect(t, a.socketPath), await connect(t, b.socketPath)]
  await server.bind(1001)

  // First at full speed, so that what a process keeps for good is not counted.
  const warmUp = await client.dial(a.address, 1001)
  const { connId: warm } = await server.accepted()
  for (let n = 0; n < 64; n++) await client.say(warmUp, randomBytes(MiB / 2))
  await client.close(warmUp)
  await server.ended(warm)
  server.received.clear()
  const before = [rss(a.pid), rss(b.pid)]
  const most = [0, 0]

  const connId = await client.dial(a.address, 1001)
  const { connId: accepted } = await server.accepted()
  const digest = createHash('sha256')
  let received = 0
  server.socket.on('recv', () => {
    for (const piece of server.received.get(accepted)!.splice(0)) {
      digest.update(piece)
      // A rest after each MiB: the sender is ahead all the time.
      if (Math.floor(received / MiB) < Math.floor((received + piece.length) / MiB)) {
        for (const [index, { pid }] of [a, b].entries()) most[index] = Math.max(most[index]!, rss(pid))
        server.socket.pause()
        setTimeout(() => server.socket.resume(), 5)
      }
      received += piece.length
    }
  })

  const sent = createHash('sha256')
  for (let n = 0; n < 192; n++) {
    const data = randomBytes(MiB - 16)
    sent.update(data)
    await client.say(connId, data)
  }
  await client.close(connId)
  await server.ended(accepted)
  assert.equal(received, 192 * (MiB - 16))
  assert.equal(digest.digest('hex'), sent.digest('hex'))
  for (const [index, start] of before.entries()) {
    const grown = most[index]! - start
    // Newer lines of Node leave up to some 50 MiB of read buffers to their collector; what is held is less than 1.
    assert.ok(grown < 96 * MiB, `daemon ${index} grew by ${grown / MiB} MiB`)
  }
})

test('[ipc.slow-stream] a stalled reader stops its sender, not the other clients', async t => {
  const { a, listener, feeder } = await stalled(t)
  assert.ok(feeder.socket.writableLength > 0)
  const [other, another] = [await connectTo(t, a), await connectTo(t, a)]
  await other.bind(8)
  const connId = await another.dial(a.address, 8)
  const { connId: accepted } = await other.accepted()
  await another.say(connId, 'unimpeded')
  await another.close(connId)
  assert.equal(String(await other.allOf(accepted)), 'unimpeded')
  listener.socket.resume()
  await feeder.written
})

test('a client that does not read may still send', async t => {
  const { listener, accepted, feeder, connId } = await stalled(t)
  await listener.say(accepted, 'from the silent')
  await listener.close(accepted)
  assert.equal(String(await feeder.allOf(connId)), 'from the silent')
  listener.socket.destroy()
})

test('bytes in the kernel at the end of a client arrive, although writes to it fail', async t => {
  const a = await startDaemon(t, tempDir(t))
  const server = await connectTo(t, a)
  await server.bind(7)
  const leavers: { client: IpcClient; connId: number; accepted: number; size: number; written: number }[] = []
  // Sizes around the point where the daemon stops to read, so that its buffers are met in every state.
  for (let size = 400_000; size < 760_000; size += 5_000) {
    const client = await connectTo(t, a)
    const connId = await client.dial(a.address, 7)
    const { connId: accepted } = await server.accepted()
    leavers.push({ client, connId, accepted, size, written: 0 })
  }

  server.socket.pause()
  for (const leaver of leavers) {
    leaver.client.socket.pause()
    for (let at = 0; at < leaver.size; at += 5_000) {
      const written = leaver.client.say(leaver.connId, Buffer.alloc(5_000, 'x'))
      written.then(
        () => (leaver.written += 5_000),
        () => {},
      )
    }
  }
  await settled(() => leavers.reduce((sum, { written }) => sum + written, 0))
  // Counted now: Node reports the write that destroy() cuts off as done.
  const taken = leavers.map(({ accepted, written }) => ({ accepted, written }))
  // More than a paused client still reads: what it leaves unread makes the end of its socket a reset.
  await Promise.all(leavers.map(({ accepted }) => server.say(accepted, Buffer.alloc(100_000))))
  await delay(50)
  for (const { client } of leavers) client.socket.destroy()
  // Half of them are written to again; for the others it is reading that meets the reset.
  const writtenTo = leavers.filter((_, index) => index % 2 === 0)
  await Promise.all(writtenTo.map(({ accepted }) => server.say(accepted, 'too late')))
  await delay(50)

  server.socket.resume()
  for (const { accepted, written } of taken) {
    const { length } = await server.allOf(accepted)
    assert.ok(length >= written, `${length} of ${written} bytes came`)
  }
})

test('dials queue for a slow listener; the daemon refuses more than its backlog', async t => {
  const { a, listener } = await stalled(t)
  const clients = await Promise.all([0, 1].map(() => connectTo(t, a)))
  const half = DIAL_BACKLOG / 2
  const dials = clients.flatMap(client => Array.from({ length: half }, () => client.dial(a.address, 7)))
  const late = await connectTo(t, a)
  // Refused at the latest when those before it have arrived in the queue.
  await assert.rejects(async () => {
    for (;;) {
      const dial = late.dial(a.address, 7)
      await Promise.race([dial, delay(50)])
      void late.send(Command.Cancel)
      await dial.catch(error => {
        if (!/was aborted/.test(String(error))) throw error
      })
    }
  }, /connection refused: the listener does not keep up/)
  listener.socket.resume()
  await Promise.all(dials)
})

test('[ipc.slow-client] a client that reads nothing for 10 s is dropped; its streams and ports end', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { a, listener, feeder, connId } = await stalled(t)
  const other = await connectTo(t, a)
  t.mock.timers.tick(CLIENT_STALL_MS - 1)
  await assert.rejects(other.bind(7), /already bound/)
  t.mock.timers.tick(1)
  await feeder.ended(connId)
  await other.bind(7)
  listener.socket.resume()
  await listener.closed
})

test('a client that reads slowly, and an idle one, stay connected', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { a, listener, accepted, feeder } = await stalled(t)
  const idle = await connectTo(t, a)
  const total = () => listener.received.get(accepted)?.reduce((sum, piece) => sum + piece.length, 0) ?? 0
  for (let round = 0; round < 5; round++) {
    t.mock.timers.tick(CLIENT_STALL_MS - 1)
    const enough = total() + MiB
    const took = new Promise<void>(resolve => {
      listener.socket.on('recv', () => {
        if (total() < enough) return
        listener.socket.pause()
        resolve()
      })
    })
    listener.socket.resume()
    await took
    listener.socket.removeAllListeners('recv')
    await settled(() => feeder.socket.bytesWritten - feeder.socket.writableLength)
  }
  assert.equal((await idle.json(Command.Health)).status, 'ok')
  listener.socket.resume()
  await feeder.written
  assert.equal(listener.socket.destroyed, false)
})

test('a client that never reads its replies is paused', { timeout: 20_000 }, async t => {
  const a = await startDaemon(t, tempDir(t))
  const client = await connectTo(t, a)
  client.socket.pause()
  const before = process.memoryUsage().rss
  const ask = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([0, 0, 0, 1, Command.Health])))
  for (let n = 0; n < 100; n++) client.socket.write(ask)
  await settled(() => client.socket.writableLength)
  assert.ok(client.socket.writableLength > 0, 'all was taken')
  // All answers together would be several times as much.
  assert.ok(process.memoryUsage().rss - before < 256 * MiB)
  client.socket.destroy()
})

/** A listener on port 7 that does not read, and a feeder that has sent it all that fits, and more. */
async function stalled(t: TestContext) {
  const a = await startDaemon(t, tempDir(t))
  const [listener, feeder] = [await connectTo(t, a), await connectTo(t, a)]
  await listener.bind(7)
  const connId = await feeder.dial(a.address, 7)
  const { connId: accepted } = await listener.accepted()
  listener.socket.pause()
  const pieces = Array.from({ length: 128 }, () => feeder.say(connId, Buffer.alloc(64 * 1024)))
  const written = Promise.all(pieces).catch(() => {})
  await settled(() => feeder.socket.writableLength)
  return { a, listener, accepted, connId, feeder: Object.assign(feeder, { written }) }
}

/** Resolves when `value` has stayed the same for a while: nothing tells that a sender is stuck. */
async function settled(value: () => number): Promise<void> {
  for (let last = Number.NaN, same = 0; same < 5; ) {
    await delay(10)
    same = value() === last ? same + 1 : 0
    last = value()
  }
}

async function startChild(t: TestContext, folder: string, name: string) {
  const socketPath = join(folder, `${name}.sock`)
  const options = { socketPath, directory: join(folder, 'nodes'), hostname: name }
  const { child, line } = await spawnNode(t, 'embedded-child.js', {
    args: [JSON.stringify(options)],
    flags: ['--max-semi-space-size=1'],
  })
  return { socketPath, address: line.split(' ')[0]!, pid: child.pid! }
}

async function connect(t: TestContext, socketPath: string): Promise<IpcClient> {
  const client = await IpcClient.connect(socketPath)
  t.after(() => client.socket.destroy())
  return client
}

function rss(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return Number(kib) * 1024
}
