import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { FIXED_LIMITS } from '#lib/limits.js'
import { Driver } from '#lib/pilot/driver.js'
import { Command, decodeConnId } from '#lib/pilot/ipc-messages.js'
import { STREAM_BUFFER, STREAM_STALL_MS } from '#lib/pilot/stream.js'
import type { Stream } from '#lib/pilot/transport.js'
import {
  closeOk,
  type FakeClient,
  FakeDaemon,
  message,
  PEER,
  recv,
} from '../../../../test/helpers/fake-daemon.js'

const ID = 7
const SMALL = FIXED_LIMITS.ipcSend.value

/** A dialled stream and the daemon's end of its socket. */
async function dialled(test: (stream: Stream, client: FakeClient) => Promise<void>): Promise<void> {
  await using daemon = await FakeDaemon.start()
  await using driver = await Driver.connect(daemon.path)
  const dialling = driver.dial(PEER.address, 1001)
  const client = await daemon.client()
  await client.dialOk(ID)
  await test(await dialling, client)
}

function written(stream: Stream, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, error => (error ? reject(error) : resolve()))
  })
}

function closed(stream: Stream): Promise<unknown> {
  return stream.closed ? Promise.resolve() : new Promise(resolve => stream.once('close', resolve))
}

async function sent(client: FakeClient, length: number): Promise<Buffer[]> {
  const pieces: Buffer[] = []
  for (let found = 0; found < length; ) {
    const payload = await client.expect(Command.Send)
    assert.equal(decodeConnId(payload), ID)
    const piece = Buffer.from(payload.subarray(4))
    pieces.push(piece)
    found += piece.length
  }
  return pieces
}

describe('writing', () => {
  it('[ipc.send] [ipc.send-order] becomes SEND, in order', async () => {
    await dialled(async (stream, client) => {
      await written(stream, 'one')
      await written(stream, 'two')
      assert.equal(Buffer.concat(await sent(client, 6)).toString(), 'onetwo')
    })
  })

  it('[ipc.send-split] splits a large write into pieces of at most the limit', async () => {
    await dialled(async (stream, client) => {
      const data = randomBytes(5 * SMALL + 1)
      const done = written(stream, data)
      const pieces = await sent(client, data.length)
      await done
      assert.deepEqual(
        pieces.map(piece => piece.length),
        [SMALL, SMALL, SMALL, SMALL, SMALL, 1],
      )
      assert.ok(Buffer.concat(pieces).equals(data))
    })
  })

  it('joins small writes that wait together', async () => {
    await dialled(async (stream, client) => {
      stream.cork()
      for (let i = 0; i < 100; i += 1) stream.write(Uint8Array.of(i))
      stream.uncork()
      const pieces = await sent(client, 100)
      assert.equal(pieces.length, 1)
      assert.deepEqual(
        [...(pieces[0] as Buffer)],
        Array.from({ length: 100 }, (_, i) => i),
      )
    })
  })

  it('sends nothing for an empty write', async () => {
    await dialled(async (stream, client) => {
      await written(stream, new Uint8Array(0))
      await written(stream, 'x')
      assert.equal(Buffer.concat(await sent(client, 1)).toString(), 'x')
      assert.equal(client.pending, 0)
    })
  })

  it('waits for a daemon that does not read', async () => {
    await dialled(async (stream, client) => {
      client.socket.pause()
      const piece = new Uint8Array(SMALL)
      let taken = 0
      let full = false
      // Until a write is not taken: the kernel's buffer is full then.
      while (!full) {
        assert.ok(taken < 64, 'nothing holds the writer back')
        const write = written(stream, piece).then(() => 'taken')
        const later = new Promise(resolve => setTimeout(resolve, 50, 'held'))
        full = (await Promise.race([write, later])) === 'held'
        taken += 1
      }
      assert.equal(stream.write(piece), false)
      client.socket.resume()
      await sent(client, (taken + 1) * SMALL)
    })
  })
})

describe('reading', () => {
  it('[ipc.recv] [ipc.close-pushed] gives what the daemon pushes, then the end', async () => {
    await dialled(async (stream, client) => {
      client.send(recv(ID, 'abc'), recv(ID, ''), recv(ID, 'def'), closeOk(ID), recv(ID, 'too late'))
      let found = ''
      for await (const chunk of stream) found += String(chunk)
      assert.equal(found, 'abcdef')
      await client.expect(Command.Close)
      await client.closed
    })
  })

  it('loses nothing for a reader that is slow but alive', async () => {
    await dialled(async (stream, client) => {
      const total = 16 * 1024 * 1024
      const hash = createHash('sha256')
      const sending = (async () => {
        for (let at = 0; at < total; at += SMALL) {
          const piece = randomBytes(SMALL)
          hash.update(piece)
          if (!client.socket.write(recv(ID, piece))) await once(client.socket, 'drain')
        }
        client.send(closeOk(ID))
      })()
      const found = createHash('sha256')
      let bytes = 0
      let most = 0
      let rests = 0
      for await (const chunk of stream) {
        found.update(chunk as Uint8Array)
        bytes += (chunk as Uint8Array).length
        most = Math.max(most, stream.readableLength)
        // Rests long enough, often enough, to have the socket stopped several times.
        if (bytes > rests * 2 * STREAM_BUFFER) {
          rests += 1
          await new Promise(resolve => setTimeout(resolve, 20))
        }
      }
      await sending
      assert.equal(bytes, total)
      assert.equal(found.digest('hex'), hash.digest('hex'))
      assert.ok(most <= 2 * STREAM_BUFFER, `${most} bytes waited`)
    })
  })

  it('bounds what waits, for pieces of a single byte too', async () => {
    await dialled(async (stream, client) => {
      const dribble = Buffer.concat(Array.from({ length: 10_000 }, () => recv(ID, 'x')))
      const before = process.memoryUsage().heapUsed
      for (let i = 0; i < 50; i += 1) {
        if (!client.socket.write(dribble)) await once(client.socket, 'drain')
      }
      client.send(closeOk(ID))
      await client.expect(Command.Close)
      assert.ok(process.memoryUsage().heapUsed - before < 64 * 1024 * 1024)
      let bytes = 0
      for await (const chunk of stream) bytes += (chunk as Uint8Array).length
      assert.equal(bytes, 500_000)
    })
  })

  it('stops reading the socket when nobody reads, and never resets a dialled stream', async () => {
    await dialled(async (stream, client) => {
      const piece = recv(ID, new Uint8Array(SMALL))
      let pushed = 0
      while (client.socket.writableLength < 4 * piece.length) {
        assert.ok(pushed < 256, 'nothing holds the daemon back')
        client.socket.write(piece)
        pushed += 1
        await new Promise(resolve => setTimeout(resolve, 1))
      }
      assert.ok(stream.readableLength < 2 * STREAM_BUFFER)
      await new Promise(resolve => setTimeout(resolve, STREAM_STALL_MS + 200))
      assert.equal(stream.destroyed, false)
      client.send(closeOk(ID))
      let bytes = 0
      for await (const chunk of stream) bytes += (chunk as Uint8Array).length
      assert.equal(bytes, pushed * SMALL)
    })
  })
})

describe('closing', () => {
  it('[ipc.close] [ipc.close-after-send] follows the SENDs, waits for CLOSE-OK and closes the socket', async () => {
    await dialled(async (stream, client) => {
      stream.write('last')
      stream.end()
      assert.equal(Buffer.concat(await sent(client, 4)).toString(), 'last')
      assert.equal(decodeConnId(await client.expect(Command.Close)), ID)
      assert.equal(stream.writableFinished, false)
      client.send(closeOk(ID))
      await closed(stream)
      assert.equal(stream.writableFinished, true)
      assert.equal(stream.errored, null)
      await client.closed
      assert.equal(client.pending, 0)
    })
  })

  it('gives the reader what comes before CLOSE-OK', async () => {
    await dialled(async (stream, client) => {
      stream.end()
      await client.expect(Command.Close)
      client.send(recv(ID, 'answer'), closeOk(ID))
      await client.closed
      let found = ''
      for await (const chunk of stream) found += String(chunk)
      assert.equal(found, 'answer')
    })
  })

  it('[ipc.close-waits] waits for CLOSE-OK no longer than the limit', async context => {
    await dialled(async (stream, client) => {
      context.mock.timers.enable({ apis: ['setTimeout'] })
      stream.end()
      await client.expect(Command.Close)
      context.mock.timers.tick(FIXED_LIMITS.closeTimeout.value - 1)
      assert.equal(stream.destroyed, false)
      context.mock.timers.tick(1)
      await closed(stream)
      assert.equal(stream.errored, null)
      await client.closed
    })
  })

  it('[ipc.close-pushed] by the peer closes a stream that nobody reads or writes', async () => {
    await dialled(async (stream, client) => {
      client.send(closeOk(ID))
      await closed(stream)
      assert.equal(stream.errored, null)
      await client.expect(Command.Close)
      await client.closed
    })
  })

  it('by the peer fails later writes with STREAM_CLOSED', async () => {
    await dialled(async (stream, client) => {
      client.send(closeOk(ID))
      await client.closed
      await assert.rejects(written(stream, 'x'), { code: 'STREAM_CLOSED' })
      await closed(stream)
      await assert.rejects(written(stream, 'x'), { code: 'STREAM_CLOSED' })
    })
  })

  it('by the peer leaves its last words to the reader, also where a write fails', async () => {
    await dialled(async (stream, client) => {
      client.send(recv(ID, 'why'), closeOk(ID))
      await client.closed
      const refused = assert.rejects(written(stream, 'x'), { code: 'STREAM_CLOSED' })
      await once(stream, 'readable')
      assert.equal(String(stream.read()), 'why')
      await refused
    })
  })

  it('by this side fails later writes with STREAM_CLOSED', async () => {
    await dialled(async (stream, client) => {
      stream.end()
      await assert.rejects(written(stream, 'x'), { code: 'STREAM_CLOSED' })
      await client.expect(Command.Close)
      stream.destroy()
      await assert.rejects(written(stream, 'x'), { code: 'STREAM_CLOSED' })
    })
  })

  it('at once sends CLOSE, once', async () => {
    await dialled(async (stream, client) => {
      stream.destroy()
      stream.destroy()
      await client.expect(Command.Close)
      await client.closed
      assert.equal(client.pending, 0)
    })
  })

  it('comes with the end of an await using block', async () => {
    await dialled(async (dialledStream, client) => {
      {
        await using stream = dialledStream
        await written(stream, 'bye')
      }
      await sent(client, 3)
      await client.expect(Command.Close)
      await client.closed
    })
  })
})

describe('a daemon that goes away', () => {
  it('fails reads and writes with DAEMON_GONE', async () => {
    await dialled(async (stream, client) => {
      client.send(recv(ID, 'half'))
      await once(stream, 'readable')
      assert.equal(String(stream.read()), 'half')
      const reading = (async () => {
        for await (const _ of stream);
      })()
      client.socket.destroy()
      await assert.rejects(reading, { code: 'DAEMON_GONE' })
      await assert.rejects(written(stream, 'x'), { code: 'DAEMON_GONE' })
    })
  })

  it('fails a write that waits', async () => {
    await dialled(async (stream, client) => {
      client.socket.pause()
      const writing = written(stream, new Uint8Array(8 * 1024 * 1024))
      const refused = assert.rejects(writing, { code: 'DAEMON_GONE' })
      client.socket.destroy()
      await refused
    })
  })

  it('does not end the process where nobody listens for errors', async () => {
    await dialled(async (stream, client) => {
      client.socket.destroy()
      await closed(stream)
      assert.equal((stream.errored as { code?: string } | null)?.code, 'DAEMON_GONE')
    })
  })

  it('is noticed where it sends nonsense', async () => {
    await dialled(async (stream, client) => {
      client.send(message(Command.Recv, Uint8Array.of(1)))
      await closed(stream)
      assert.equal((stream.errored as { code?: string } | null)?.code, 'DAEMON_NOT_PILOT')
      await client.closed
    })
  })
})
