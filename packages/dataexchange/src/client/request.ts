import type { Address } from '../pilot/address.ts'
import type { Resolver, Streams } from '../pilot/transport.ts'
import { newMessageId } from '../wire/message-id.ts'
import { Client } from './client.ts'
import type { ClientOptions } from './client-options.ts'
import type { RequestOptions, RequestOutcome } from './reply-frame.ts'

/**
 * Sends a request to a peer. Resolves with the reply, which comes on the connection `[autoanswer.reply-text]`.
 *
 * A peer that does not answer requests has stored it, and one that does not know requests was sent it again as TEXT:
 * then `reply` is undefined, and a `ReplyWatch` that was started before waits for the reply in the inbox. The request has
 * the id `messageId`, or a new one. It is not sent again if its answer is lost.
 *
 * @throws what {@link Client.dial} and {@link Client.request} throw
 */
export async function request(
  driver: Pick<Streams, 'dial'> & Resolver,
  target: Address | string,
  text: string,
  options: ClientOptions & RequestOptions = {},
): Promise<RequestOutcome> {
  const { signal, maxFrameSize, messageId = newMessageId() } = options
  const client = await Client.dial(driver, target, { signal, maxFrameSize })
  try {
    return await client.request(text, { ...options, messageId })
  } finally {
    await client.close()
  }
}
