import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { deliver } from '#lib/client/deliver.js'
import type { Message } from '#lib/client/outgoing.js'
import type { Listener, Stream } from '#lib/pilot/transport.js'
import { FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { readTaggedPayload } from '#lib/wire/tagged.js'
import { startService, text, visible } from '../../../../test/helpers/service-harness.ts'
import { SERVER_ADDRESS, type SocketStreams, socketStreams } from '../../../../test/helpers/socket-streams.ts'

/** The behaviour of a peer on one connection. */
type Peer = (stream: Stream, frames: Seen[]) => Promise<void>

interface Seen {
  readonly type: number
  readonly messageId: string | undefined
}

/** A network with one node, played by `peers`, one per connection. Returns the frames they received. */
async function playedBy(t: TestContext, ...peers: Peer[]) {
  const streams = socketStreams(t)
  const listener: Listener = await streams.listen(1001)
  const frames: Seen[] = []
  t.after(() => listener.close())
  void (async () => {
    for await (const stream of listener) {
      stream.on('error', () => {})
      await peers.shift()?.(stream, frames)
      stream.destroy()
    }
  })()
  const driver = {
    dial: (...args: Parameters<SocketStreams['dial']>) => streams.dial(...args),
    resolve: async () => SERVER_ADDRESS,
  }
  return { driver, frames, listener }
}

async function readOne(stream: Stream, frames: Seen[]): Promise<void> {
  const frame = await readFrame(stream)
  assert.ok(frame !== null)
  const messageId = frame.type === FrameType.Tagged ? readTaggedPayload(frame).messageId : undefined
  frames.push({ type: frame.type, messageId })
}

/** Reads one frame for each answer. */
function answering(...answers: string[]): Peer {
  return async (stream, frames) => {
    for (const answer of answers) {
      await readOne(stream, frames)
      await writeFrame(stream, text(answer))
    }
    while ((await readFrame(stream).catch(() => null)) !== null);
  }
}

/** Reads one frame and closes. */
const losing: Peer = readOne

const OLD = 'ERR UNKNOWN(10) save failed: unsupported frame type 10'

test('[tagged.resend] a message whose answer is lost is sent again under its id, on a new connection', async t => {
  const { driver, frames } = await playedBy(t, losing, answering('ACK TEXT 2 bytes (duplicate)'))
  const receipt = await deliver(driver, 'peer', { text: 'hi' })
  assert.equal(receipt.resent, true)
  assert.equal(receipt.duplicate, true)
  assert.match(receipt.messageId ?? '', /^[0-9a-f]{32}$/)
  assert.deepEqual(frames, Array(2).fill({ type: FrameType.Tagged, messageId: receipt.messageId }))
})

test('[tagged.resend] the service stores it once', async t => {
  const node = await startService(t)
  let lost = 0
  const driver = {
    dial: async (...args: Parameters<SocketStreams['dial']>) => {
      const stream = await node.streams.dial(...args)
      if (lost++ > 0) return stream
      // The first answer reaches this machine and no further.
      const { read } = stream
      stream.read = size => {
        const chunk = read.call(stream, size)
        if (chunk !== null) stream.destroy()
        return null
      }
      return stream
    },
    resolve: async () => SERVER_ADDRESS,
  }
  const receipt = await deliver(driver, SERVER_ADDRESS, { file: Buffer.alloc(500_000, 'x'), name: 'f' })
  assert.deepEqual([receipt.resent, receipt.duplicate, receipt.size], [true, true, 500_000])
  assert.equal(visible(node.receivedDir).length, 1)
})

test('an answer that does not come in time is a lost one', async t => {
  const waiting: Peer = async (stream, frames) => {
    await readOne(stream, frames)
    await readFrame(stream).catch(() => null)
  }
  const { driver } = await playedBy(t, waiting, answering('ACK TEXT 2 bytes'))
  const receipt = await deliver(driver, 'peer', { text: 'hi' }, { answerTimeoutMs: 200, messageId: 'mine' })
  assert.deepEqual([receipt.resent, receipt.messageId], [true, 'mine'])
})

test('a delivery that is answered is not sent again', async t => {
  const { driver, frames } = await playedBy(t, answering('ACK TEXT 2 bytes'))
  const receipt = await deliver(driver, 'peer', { text: 'hi' }, { replyTo: 'r' })
  assert.deepEqual([receipt.resent, receipt.idAccepted], [false, true])
  assert.equal(frames.length, 1)

  const { driver: refusing, frames: refused } = await playedBy(t, answering('ERR TEXT save failed: full'))
  await assert.rejects(deliver(refusing, 'peer', { text: 'hi' }), { code: 'PEER_REFUSED' })
  assert.equal(refused.length, 1)
})

test('[tagged.fallback] a peer that does not know ids is not sent anything again', async t => {
  const { driver, frames } = await playedBy(t, async (stream, seen) => {
    await readOne(stream, seen)
    await writeFrame(stream, text(OLD))
    await readOne(stream, seen)
  })
  await assert.rejects(deliver(driver, 'peer', { text: 'hi' }), { code: 'CONNECTION_CLOSED' })
  assert.deepEqual(
    frames.map(({ type }) => type),
    [FrameType.Tagged, FrameType.Text],
  )
})

test('[tagged.fallback] where the first answer was lost, the second try finds out', async t => {
  const { driver, frames } = await playedBy(t, losing, answering(OLD, 'ACK TEXT 2 bytes'))
  const receipt = await deliver(driver, 'peer', { text: 'hi' })
  assert.deepEqual([receipt.resent, receipt.idAccepted], [true, false])
  assert.deepEqual(
    frames.map(({ type }) => type),
    [FrameType.Tagged, FrameType.Tagged, FrameType.Text],
  )
})

test('what cannot be sent again is not: a TRACE, a stream, and where the caller does not want it', async t => {
  const stream = () => Readable.from([Buffer.from('x')])
  const cases: [Message, object][] = [
    [{ trace: Buffer.from('x') }, {}],
    [{ trace: Buffer.from('x') }, { messageId: 'm' }],
    [{ file: stream(), name: 'f' }, {}],
    [{ text: 'x' }, { resend: false }],
    [{ type: FrameType.FileStream, payload: Buffer.from('x') }, {}],
  ]
  for (const [message, options] of cases) {
    const { driver, frames } = await playedBy(t, losing, answering('ACK TEXT 1 bytes'))
    await assert.rejects(deliver(driver, 'peer', message, options), { code: 'CONNECTION_CLOSED' })
    assert.equal(frames.length, 1)
  }
})

test('frames that no receiver stores get no id of their own', async t => {
  for (const message of [{ trace: Buffer.from('x') }, { type: 77, payload: Buffer.from('x') }]) {
    const { driver, frames } = await playedBy(t, answering('ERR nothing'))
    await assert.rejects(deliver(driver, 'peer', message), { code: 'PEER_REFUSED' })
    assert.notEqual(frames[0]?.type, FrameType.Tagged)
  }
})

test('where the second try fails too, the first error says so: the message may be stored', async t => {
  const { driver, frames } = await playedBy(t, losing, answering('ERR TEXT save failed: inbox full'))
  await assert.rejects(deliver(driver, 'peer', { text: 'hi' }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'CONNECTION_CLOSED')
    assert.match(error.message, /may or may not be stored; it was sent once more, .* inbox full/)
    assert.equal((error.cause as { code?: string }).code, 'PEER_REFUSED')
    return true
  })
  assert.equal(frames.length, 2)
})
