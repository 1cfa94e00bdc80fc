import type { TestContext } from 'node:test'
import { Client } from '#lib/client/client.js'
import type { ClientOptions } from '#lib/client/client-options.js'
import type { Stream } from '#lib/pilot/transport.js'
import { SERVER_ADDRESS, socketStreams } from './socket-streams.ts'

/** A client, and the peer's end of its connection. */
export async function connected(
  t: TestContext,
  options: ClientOptions = {},
): Promise<{ client: Client; peer: Stream }> {
  const streams = socketStreams(t)
  const listener = await streams.listen(1001)
  const client = await Client.dial(streams, SERVER_ADDRESS, options)
  const accepted = await listener[Symbol.asyncIterator]().next()
  const peer = accepted.value as Stream
  peer.on('error', () => {})
  t.after(() => {
    peer.destroy()
    return client.close()
  })
  return { client, peer }
}
