import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ResendingClient, type ResendingClientOptions } from '#lib/client/resending-client.js'
import type { Stream } from '#lib/pilot/transport.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { readTaggedPayload } from '#lib/wire/tagged.js'
import { text } from '../../../../test/helpers/service-harness.ts'
import { SERVER_ADDRESS, type SocketStreams, socketStreams } from '../../../../test/helpers/socket-streams.ts'

/** A client of a peer that answers each TEXT with an ACK, but the frames at these positions with the end of the connection. */
async function clientOf(t: TestContext, lost: readonly number[], options?: ResendingClientOptions) {
  const streams = socketStreams(t)
  const listener = await streams.listen(1001)
  t.after(() => listener.close())
  const seen: { id: string | undefined; text: string }[] = []
  let connections = 0
  const serve = async (stream: Stream) => {
    for (let frame = await readFrame(stream); frame !== null; frame = await readFrame(stream)) {
      const { messageId, payload } = readTaggedPayload(frame)
      seen.push({ id: messageId, text: Buffer.from(payload).toString() })
      if (lost.includes(seen.length - 1)) stream.destroy()
      else await writeFrame(stream, text(`ACK TEXT ${payload.length} bytes`))
    }
  }
  void (async () => {
    for await (const stream of listener) {
      stream.on('error', () => {})
      connections++
      void serve(stream).catch(() => {})
    }
  })()
  let resolved = 0
  const driver = {
    dial: (...args: Parameters<SocketStreams['dial']>) => streams.dial(...args),
    resolve: async () => {
      resolved++
      return SERVER_ADDRESS
    },
  }
  const client = new ResendingClient(driver, 'peer', options)
  t.after(() => client.close())
  return { client, seen, connections: () => connections, resolved: () => resolved }
}

test('many messages go over one connection, and the target is resolved once', async t => {
  const { client, seen, connections, resolved } = await clientOf(t, [])
  assert.equal(client.address, undefined)
  for (const word of ['a', 'b', 'c']) await client.deliver({ text: word })
  assert.deepEqual(
    seen.map(message => message.text),
    ['a', 'b', 'c'],
  )
  assert.deepEqual([connections(), resolved(), client.address], [1, 1, SERVER_ADDRESS])
})

test('[tagged.resend] a lost answer: the same id again on a new connection, before the messages behind it', async t => {
  const { client, seen, connections } = await clientOf(t, [1])
  const receipts = await Promise.all(['a', 'b', 'c'].map(word => client.deliver({ text: word })))
  assert.deepEqual(
    seen.map(message => message.text),
    ['a', 'b', 'b', 'c'],
  )
  assert.equal(seen[1]?.id, seen[2]?.id)
  assert.deepEqual(
    receipts.map(({ resent }) => resent),
    [false, true, false],
  )
  assert.equal(connections(), 2)
})

test('without resend a lost answer rejects, and the next message gets a new connection', async t => {
  const { client, seen, connections } = await clientOf(t, [0], { resend: false })
  await assert.rejects(client.deliver({ text: 'a' }), { code: 'CONNECTION_CLOSED' })
  await client.deliver({ text: 'b' })
  assert.equal(seen.length, 2)
  assert.equal(connections(), 2)
})

test('after close() it sends nothing', async t => {
  const { client, seen } = await clientOf(t, [])
  await client.close()
  await client.close()
  await assert.rejects(client.deliver({ text: 'a' }), { code: 'STREAM_CLOSED' })
  await assert.rejects(client.connect(), { code: 'STREAM_CLOSED' })
  assert.equal(seen.length, 0)
})
