import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { utf8 } from '#lib/bytes.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { parseAddress } from '#lib/pilot/address.js'
import { Driver } from '#lib/pilot/driver.js'
import { EARLY_BYTES } from '#lib/pilot/ipc-connection.js'
import { Command, decodeDial, decodePort, encodeConnId, encodeError } from '#lib/pilot/ipc-messages.js'
import type { Stream } from '#lib/pilot/transport.js'
import { FakeDaemon, message, NODE, PEER, recv } from '../../../../test/helpers/fake-daemon.js'

const address = PEER.address

async function text(stream: Stream, length: number): Promise<string> {
  let found = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    found += String(chunk)
    if (found.length >= length) break
  }
  return found
}

/** Serves `path` with `handle`, in a folder of its own. */
async function serving(
  handle: (socket: Socket) => void,
  run: (path: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'driver-test-'))
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    handle(socket)
  })
  try {
    server.listen(join(folder, 's.sock'))
    await once(server, 'listening')
    await run(join(folder, 's.sock'))
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('Driver.connect', () => {
  it('[ipc.info] asks the daemon who it is', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    assert.equal(driver.socketPath, daemon.path)
    const info = await driver.info()
    assert.equal(info.nodeId, 7)
    assert.equal(String(info.address), NODE)
    assert.deepEqual(info.features, [])
    assert.equal(info.hostname, '')
  })

  it('fails with DAEMON_UNAVAILABLE, the path and a way out where nobody listens', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'driver-test-'))
    const missing = join(folder, 'missing.sock')
    const plainFile = join(folder, 'file')
    writeFileSync(plainFile, '')
    for (const path of [missing, plainFile]) {
      await assert.rejects(Driver.connect(path), (error: Error & { code: string }) => {
        assert.equal(error.code, 'DAEMON_UNAVAILABLE')
        assert.ok(error.message.includes(path))
        assert.match(error.message, /pilot-dx serve/)
        return true
      })
    }
    rmSync(folder, { recursive: true })
  })

  const impostors: Record<string, (socket: Socket) => void> = {
    'an echo': socket => socket.pipe(socket),
    'a server that closes at once': socket => socket.end(),
    'a server that hangs up on the first bytes': socket => socket.once('data', () => socket.destroy()),
    'a silent server': () => {},
    'a web server': socket => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    'a server with over-long messages': socket => socket.write(Uint8Array.of(0, 16, 0, 1, 14)),
    'a server whose INFO is not JSON': socket => socket.write(message(Command.InfoOk, utf8('hello'))),
  }
  for (const [name, handle] of Object.entries(impostors)) {
    it(`refuses ${name} as DAEMON_NOT_PILOT`, async () => {
      await serving(handle, async path => {
        await assert.rejects(Driver.connect(path, { timeoutMs: 200 }), { code: 'DAEMON_NOT_PILOT' })
      })
    })
  }

  it('can be aborted', async () => {
    await using daemon = await FakeDaemon.start({ info: false })
    const controller = new AbortController()
    const connecting = Driver.connect(daemon.path, { signal: controller.signal })
    const client = await daemon.client()
    controller.abort()
    await assert.rejects(connecting, { code: 'ABORTED' })
    await client.closed
  })
})

describe('requests', () => {
  it('[ipc.health] [ipc.resolve] [ipc.set-hostname] give what the daemon answers', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const requests = [
      { call: driver.health(), command: Command.Health, reply: Command.HealthOk, asked: '' },
      {
        call: driver.resolve('bob'),
        command: Command.ResolveHostname,
        reply: Command.ResolveHostnameOk,
        asked: 'bob',
      },
      {
        call: driver.setHostname('me'),
        command: Command.SetHostname,
        reply: Command.SetHostnameOk,
        asked: 'me',
      },
    ]
    for (const _ of requests) {
      const client = await daemon.client()
      // Sockets may connect in any order: the first message says which request it is.
      const first = await client.first()
      const request = requests.find(({ command }) => command === first.command)
      assert.equal(Buffer.from(first.payload).toString(), request?.asked)
      client.send(message(request?.reply ?? 0, utf8(`{"address":"${NODE}","status":"ok"}`)))
      await client.closed
    }
    assert.deepEqual(await requests[0]?.call, { address: NODE, status: 'ok' })
    assert.equal(String(await requests[1]?.call), NODE)
    assert.equal(await requests[2]?.call, undefined)
  })

  it('take the node id where an answer has no address, and refuse one with neither', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    for (const [answer, found] of [
      ['{"node_id":258}', '0:0000.0000.0102'],
      ['{}', undefined],
    ] as const) {
      const call = driver.resolve('bob')
      const client = await daemon.client()
      await client.expect(Command.ResolveHostname)
      client.send(message(Command.ResolveHostnameOk, utf8(answer)))
      if (found) assert.equal(String(await call), found)
      else await assert.rejects(call, { code: 'DAEMON_NOT_PILOT' })
    }
  })

  it('[ipc.error] fail with DAEMON_REFUSED, the daemon’s words and its code', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const call = driver.resolve('nobody')
    const client = await daemon.client()
    await client.expect(Command.ResolveHostname)
    client.send(message(Command.Error, encodeError(4, 'no such host')))
    await assert.rejects(call, { code: 'DAEMON_REFUSED', message: 'no such host', daemonCode: 4 })
    await client.closed
  })

  it('fail with DAEMON_GONE where the daemon goes away, and work again when it is back', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const call = driver.health()
    const client = await daemon.client()
    client.socket.destroy()
    await assert.rejects(call, { code: 'DAEMON_GONE' })
    assert.equal((await driver.info()).nodeId, 7)
  })

  it('[ipc.unknown-command] [ipc.stray-reply] ignore pushes, unknown commands and replies to other requests', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const call = driver.health()
    const client = await daemon.client()
    await client.expect(Command.Health)
    client.send(
      message(0x0c, utf8('datagram')),
      message(0x99),
      message(Command.DialOk, encodeConnId(1)),
      recv(5, 'x'),
      message(Command.HealthOk, utf8('{"status":"ok"}')),
    )
    assert.deepEqual(await call, { status: 'ok' })
  })

  it('an invalid port is rejected before a byte is sent', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    for (const port of [-1, 65_536, 1.5, Number.NaN]) {
      await assert.rejects(driver.dial(address, port), { code: 'ADDRESS_INVALID' })
      await assert.rejects(driver.listen(port), { code: 'ADDRESS_INVALID' })
    }
  })
})

describe('dial', () => {
  it('[ipc.dial] asks for the address and knows both ends', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const dialling = driver.dial(address, 1001)
    const client = await daemon.client()
    assert.deepEqual(decodeDial(await client.expect(Command.Dial)), { address, port: 1001 })
    client.send(message(Command.DialOk, encodeConnId(7)))
    const stream = await dialling
    assert.deepEqual(stream.remoteAddress, { address, port: 1001 })
    assert.deepEqual(stream.localAddress, { address: parseAddress(NODE), port: 0 })
  })

  it('[ipc.one-in-flight] gives each of two concurrent dials its own stream', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const dials = [driver.dial(address, 1), driver.dial(address, 2)]
    const clients = [await daemon.client(), await daemon.client()]
    const ports: number[] = []
    for (const client of clients) ports.push(decodeDial(await client.expect(Command.Dial)).port)
    // Answered in the other order, with the same connection id.
    for (const i of [1, 0]) {
      clients[i]?.send(message(Command.DialOk, encodeConnId(9)), recv(9, `to ${ports[i]}`))
    }
    const [one, two] = await Promise.all(dials)
    assert.equal(await text(one as Stream, 4), 'to 1')
    assert.equal(await text(two as Stream, 4), 'to 2')
  })

  it('fails with DIAL_FAILED, the target and the daemon’s reason', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const dialling = driver.dial(address, 1001)
    const client = await daemon.client()
    await client.expect(Command.Dial)
    client.send(message(Command.Error, encodeError(1, 'connection refused')))
    await assert.rejects(dialling, {
      code: 'DIAL_FAILED',
      daemonCode: 1,
      message: `could not connect to ${address}:1001: connection refused`,
    })
    await client.closed
  })

  for (const how of ['abort', 'timeout'] as const) {
    it(`[ipc.cancel] [ipc.late-reply] [ipc.late-dial] is cancelled in the daemon on ${how}; a late DIAL-OK goes nowhere`, async () => {
      await using daemon = await FakeDaemon.start()
      await using driver = await Driver.connect(daemon.path)
      const controller = new AbortController()
      const options = how === 'abort' ? { signal: controller.signal } : { timeoutMs: 30 }
      const dialling = driver.dial(address, 1001, options)
      const refused = assert.rejects(dialling, { code: how === 'abort' ? 'ABORTED' : 'TIMED_OUT' })
      const client = await daemon.client()
      await client.expect(Command.Dial)
      if (how === 'abort') controller.abort()
      await client.expect(Command.Cancel)
      client.send(message(Command.DialOk, encodeConnId(3)))
      await refused
      await client.closed

      const again = driver.dial(address, 1002)
      await (await daemon.client()).dialOk(4, recv(4, 'mine'))
      assert.equal(await text(await again, 4), 'mine')
    })
  }

  it('[ipc.early-recv] works with the reply in any two pieces, and with data and end in the same chunk', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const bytes = Buffer.concat([
      recv(5, 'ear'),
      message(Command.DialOk, encodeConnId(5)),
      recv(5, 'ly'),
      message(Command.CloseOk, encodeConnId(5)),
    ])
    for (let at = 0; at <= bytes.length; at += 1) {
      const dialling = driver.dial(address, 1001)
      const client = await daemon.client()
      await client.expect(Command.Dial)
      client.socket.write(bytes.subarray(0, at))
      await new Promise(setImmediate)
      client.socket.write(bytes.subarray(at))
      let found = ''
      for await (const chunk of await dialling) found += String(chunk)
      assert.equal(found, 'early', `split at ${at}`)
      await client.expect(Command.Close)
      await client.closed
    }
  })

  it('refuses to keep more than the limit for streams that are not announced', async () => {
    for (const bytes of [new Uint8Array(FIXED_LIMITS.ipcSend.value), new Uint8Array(0)]) {
      await using daemon = await FakeDaemon.start()
      await using driver = await Driver.connect(daemon.path)
      const dialling = driver.dial(address, 1001)
      const refused = assert.rejects(dialling, { code: 'DAEMON_NOT_PILOT' })
      const client = await daemon.client()
      await client.expect(Command.Dial)
      const count = Math.ceil(EARLY_BYTES / (bytes.length + 64)) + 1
      client.send(...Array.from({ length: count }, () => recv(6, bytes)))
      await refused
      await client.closed
    }
  })
})

describe('listen', () => {
  it('fails with PORT_IN_USE, the likely holder and the daemon’s words where the port is taken', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const listening = driver.listen(1001)
    const client = await daemon.client()
    assert.equal(decodePort(await client.expect(Command.Bind)), 1001)
    client.send(message(Command.Error, encodeError(1, 'port 1001 already bound')))
    await assert.rejects(listening, { code: 'PORT_IN_USE', message: /already bound.*-no-dataexchange/ })
    await client.closed
  })

  it('fails with DAEMON_REFUSED for any other refusal', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const listening = driver.listen(80)
    const client = await daemon.client()
    await client.expect(Command.Bind)
    client.send(message(Command.Error, encodeError(1, 'not permitted')))
    await assert.rejects(listening, { code: 'DAEMON_REFUSED', message: 'not permitted' })
  })

  it('times out', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    await assert.rejects(driver.listen(80, { timeoutMs: 20 }), { code: 'TIMED_OUT' })
    await (await daemon.client()).closed
  })
})

describe('close', () => {
  it('ends all that is open, and refuses what comes later', async () => {
    await using daemon = await FakeDaemon.start()
    const driver = await Driver.connect(daemon.path)
    const dialling = driver.dial(address, 1)
    await (await daemon.client()).dialOk(1)
    const stream = await dialling
    const listening = driver.listen(2)
    await (await daemon.client()).bindOk()
    const iteration = (await listening)[Symbol.asyncIterator]().next()
    const pending = assert.rejects(driver.health(), { code: 'DRIVER_CLOSED' })
    await daemon.client()
    const gone = new Promise(resolve => stream.once('close', resolve))

    await driver.close()
    await driver.close()
    await gone
    assert.equal((stream.errored as { code?: string } | null)?.code, 'DRIVER_CLOSED')
    assert.deepEqual(await iteration, { done: true, value: undefined })
    await pending
    await assert.rejects(driver.dial(address, 1), { code: 'DRIVER_CLOSED' })
    await assert.rejects(driver.listen(1), { code: 'DRIVER_CLOSED' })
    await assert.rejects(driver.info(), { code: 'DRIVER_CLOSED' })
    while (daemon.sockets.size > 0) await new Promise(setImmediate)
  })
})
