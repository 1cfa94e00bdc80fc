import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { FIXED_LIMITS } from '#lib/limits.js'
import { parseAddress } from '#lib/pilot/address.js'
import { Driver } from '#lib/pilot/driver.js'
import { EARLY_BYTES } from '#lib/pilot/ipc-connection.js'
import { Command, decodeConnId, decodePort, encodeError } from '#lib/pilot/ipc-messages.js'
import { STREAM_BUFFER, STREAM_STALL_MS } from '#lib/pilot/stream.js'
import type { Listener, Stream } from '#lib/pilot/transport.js'
import {
  accept,
  closeOk,
  type FakeClient,
  FakeDaemon,
  message,
  NODE,
  PEER,
  recv,
} from '../../../../test/helpers/fake-daemon.js'

const PORT = 1001

/** A bound listener and the daemon's end of its socket. */
async function bound(
  test: (listener: Listener & AsyncDisposable, client: FakeClient, driver: Driver) => Promise<void>,
  early: Uint8Array[] = [],
): Promise<void> {
  await using daemon = await FakeDaemon.start()
  await using driver = await Driver.connect(daemon.path)
  const listening = driver.listen(PORT)
  const client = await daemon.client()
  await client.bindOk(...early)
  await test(await listening, client, driver)
}

async function next(listener: Listener): Promise<Stream> {
  const { value } = await listener[Symbol.asyncIterator]().next()
  assert.ok(value)
  return value
}

async function read(stream: Stream): Promise<string> {
  let found = ''
  for await (const chunk of stream) found += String(chunk)
  return found
}

function closed(stream: Stream): Promise<unknown> {
  return stream.closed ? Promise.resolve() : new Promise(resolve => stream.once('close', resolve))
}

async function expectClose(client: FakeClient, connId: number): Promise<void> {
  assert.equal(decodeConnId(await client.expect(Command.Close)), connId)
}

describe('accepting', () => {
  it('[ipc.accept] gives the streams in order, with both ends', async () => {
    await bound(async (listener, client) => {
      assert.equal(listener.port, PORT)
      client.send(accept(1), accept(2), recv(2, 'two'), recv(1, 'one'), closeOk(1), closeOk(2))
      const found: string[] = []
      for await (const stream of listener) {
        assert.deepEqual(stream.remoteAddress, PEER)
        assert.deepEqual(stream.localAddress, { address: parseAddress(NODE), port: PORT })
        found.push(await read(stream))
        if (found.length === 2) break
      }
      assert.deepEqual(found, ['one', 'two'])
    })
  })

  it('[ipc.early-accept] takes an ACCEPT with its data and its end in the chunk of BIND-OK', async () => {
    await bound(
      async listener => {
        assert.equal(await read(await next(listener)), 'hello')
      },
      [accept(1), recv(1, 'hello'), closeOk(1)],
    )
  })

  it('[ipc.early-recv] takes RECV and CLOSE-OK before their ACCEPT', async () => {
    await bound(async (listener, client) => {
      client.send(recv(5, 'ear'), recv(5, 'ly'), closeOk(5), accept(5))
      assert.equal(await read(await next(listener)), 'early')
      // The connection is over, so that closing the listener closes the socket.
      const closing = listener.close()
      await expectClose(client, 5)
      await client.unbindOk()
      await closing
      await client.closed
    })
  })

  it('counts early bytes only until their ACCEPT', async () => {
    await bound(async (listener, client) => {
      const piece = new Uint8Array(FIXED_LIMITS.ipcSend.value)
      const count = (2 * EARLY_BYTES) / piece.length
      for (let id = 1; id <= count; id += 1) {
        client.send(recv(id, piece), closeOk(id), accept(id))
        assert.equal((await read(await next(listener))).length, piece.length)
      }
    })
  })

  it('goes on after a break', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1), accept(2))
      for await (const _ of listener) break
      for await (const stream of listener) {
        stream.write('x')
        break
      }
      assert.equal(decodeConnId(await client.expect(Command.Send)), 2)
    })
  })

  it('takes turns between streams that write much', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1), accept(2))
      const size = 4 * 1024 * 1024
      for (const stream of [await next(listener), await next(listener)]) stream.write(new Uint8Array(size))
      const order: number[] = []
      const left = new Map([
        [1, size],
        [2, size],
      ])
      while ([...left.values()].some(rest => rest > 0)) {
        const payload = await client.expect(Command.Send)
        const id = decodeConnId(payload)
        left.set(id, (left.get(id) ?? 0) - payload.length + 4)
        order.push(id)
      }
      // Neither has to wait for the other to finish.
      assert.ok(order.indexOf(2) < order.lastIndexOf(1) / 2)
      assert.ok(order.indexOf(1) < order.lastIndexOf(2) / 2)
    })
  })

  it('drops what still comes for a stream that was closed', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1))
      ;(await next(listener)).destroy()
      await expectClose(client, 1)
      const late = recv(1, new Uint8Array(FIXED_LIMITS.ipcSend.value))
      // More than would be kept for a stream that is not announced.
      for (let i = 0; i < 32; i += 1) client.send(late)
      client.send(closeOk(1), accept(2), recv(2, 'fine'), closeOk(2))
      assert.equal(await read(await next(listener)), 'fine')
    })
  })

  it('gives a connection id that is used again a fresh stream', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1), recv(1, 'old'), closeOk(1))
      assert.equal(await read(await next(listener)), 'old')
      client.send(accept(1), recv(1, 'new'), closeOk(1))
      assert.equal(await read(await next(listener)), 'new')
    })
  })

  it('[ipc.stray-reply] drops an ERROR that answers nothing', async () => {
    await bound(async (listener, client) => {
      client.send(message(Command.Error, encodeError(1, 'whatever')), accept(1))
      assert.ok(await next(listener))
    })
  })

  it('closes a stream to another port', async () => {
    await bound(async (_listener, client) => {
      client.send(accept(3, 80))
      await expectClose(client, 3)
    })
  })
})

describe('a reader that stalls', () => {
  it('[ipc.slow-stream] has its stream reset, and the others go on', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1), accept(2))
      const stalled = await next(listener)
      const alive = await next(listener)
      const full = new Uint8Array(FIXED_LIMITS.ipcSend.value)
      const count = (2 * STREAM_BUFFER) / full.length
      client.send(...Array.from({ length: count }, () => recv(1, full)), recv(2, 'after'), closeOk(2))
      const started = performance.now()
      assert.equal(await read(alive), 'after')
      assert.ok(performance.now() - started >= STREAM_STALL_MS / 2)
      assert.equal((stalled.errored as { code?: string } | null)?.code, 'STREAM_STALLED')
      await expectClose(client, 1)
    })
  })

  it('only seems to stall where it takes a little now and then', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1))
      const slow = await next(listener)
      const piece = new Uint8Array(FIXED_LIMITS.ipcSend.value)
      const count = (1.5 * STREAM_BUFFER) / piece.length
      client.send(...Array.from({ length: count }, () => recv(1, piece)), closeOk(1))
      let bytes = 0
      await once(slow, 'readable')
      // Above half of the buffer all the while, so that the socket stays stopped past the deadline.
      const started = performance.now()
      while (performance.now() - started < STREAM_STALL_MS + 300) {
        bytes += slow.read(Math.min(3 * piece.length, slow.readableLength))?.length ?? 0
        await new Promise(resolve => setTimeout(resolve, 600))
      }
      assert.equal(slow.destroyed, false)
      for await (const chunk of slow) bytes += (chunk as Uint8Array).length
      assert.equal(bytes, count * piece.length)
    })
  })
})

describe('close', () => {
  it('[ipc.unbind] frees the port, ends the iteration and the socket, and is idempotent', async () => {
    await bound(async (listener, client) => {
      const iteration = listener[Symbol.asyncIterator]().next()
      const closing = listener.close()
      assert.equal(listener.close(), closing)
      assert.equal(decodePort(await client.expect(Command.Unbind)), PORT)
      assert.deepEqual(await iteration, { done: true, value: undefined })
      client.send(message(Command.UnbindOk, new Uint8Array(2)))
      await closing
      await client.closed
      for await (const _ of listener) assert.fail('a stream after close()')
    })
  })

  it('leaves accepted streams alone, and the socket until the last of them has closed', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1))
      const stream = await next(listener)
      const closing = listener.close()
      await client.unbindOk()
      await closing
      client.send(recv(1, 'still'))
      await once(stream, 'readable')
      assert.equal(String(stream.read()), 'still')
      stream.end('here')
      assert.equal(String(Buffer.from((await client.expect(Command.Send)).subarray(4))), 'here')
      await expectClose(client, 1)
      client.send(closeOk(1))
      await closed(stream)
      assert.equal(stream.errored, null)
      await client.closed
    })
  })

  it('closes the streams that wait, and those that come', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1), accept(2))
      await next(listener)
      const closing = listener.close()
      await expectClose(client, 2)
      await client.expect(Command.Unbind)
      client.send(accept(3), message(Command.UnbindOk, new Uint8Array(2)))
      await expectClose(client, 3)
      await closing
    })
  })

  it('[ipc.unbind-old] makes do with a daemon that does not know UNBIND', async () => {
    await bound(async (listener, client) => {
      client.send(accept(1))
      const stream = await next(listener)
      const closing = listener.close()
      await client.expect(Command.Unbind)
      client.send(message(Command.Error, encodeError(1, 'unknown command: 0x37')))
      await closing
      client.send(accept(2))
      await expectClose(client, 2)
      client.send(recv(1, 'on'), closeOk(1))
      assert.equal(await read(stream), 'on')
      await expectClose(client, 1)
      await client.closed
    })
  })

  it('comes with the end of an await using block', async () => {
    await bound(async (bare, client) => {
      const unbinding = client.unbindOk()
      {
        await using listener = bare
        assert.equal(listener.port, PORT)
      }
      await unbinding
      await client.closed
    })
  })
})

describe('a daemon that goes away', () => {
  it('ends listener and streams with DAEMON_GONE; listening again works', async () => {
    await using daemon = await FakeDaemon.start()
    await using driver = await Driver.connect(daemon.path)
    const listening = driver.listen(PORT)
    const client = await daemon.client()
    await client.bindOk(accept(1), accept(2))
    const listener = await listening
    const stream = await next(listener)
    const reading = assert.rejects(read(stream), { code: 'DAEMON_GONE' })
    client.socket.destroy()
    await reading
    // The second stream went with the daemon: it is not handed out.
    await assert.rejects(next(listener), { code: 'DAEMON_GONE' })
    await listener.close()

    const again = driver.listen(PORT)
    await (await daemon.client()).bindOk(accept(1))
    assert.ok(await next(await again))
  })

  it('fails an iteration that waits', async () => {
    await bound(async (listener, client) => {
      const iteration = assert.rejects(next(listener), { code: 'DAEMON_GONE' })
      client.socket.destroy()
      await iteration
    })
  })

  it('does not keep close() waiting', async () => {
    await bound(async (listener, client) => {
      const closing = listener.close()
      await client.expect(Command.Unbind)
      client.socket.destroy()
      await closing
    })
  })
})
