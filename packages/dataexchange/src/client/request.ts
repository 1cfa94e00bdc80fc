import type { Address } from '../pilot/address.ts'
import type { Resolver, Streams } from '../pilot/transport.ts'
import { newMessageId } from '../wire/message-id.ts'
import { Client, type ClientOptions } from './client.ts'
import type { RequestOptions, RequestOutcome } from './reply-frame.ts'

/**
 * Asks a peer and resolves with its reply, which comes on the connection (section 6). A peer that answers
 * nothing has stored the request, one that does not know requests has been sent it again as TEXT: `reply` is
 * undefined then, and a `ReplyWatch` that was started before waits for the reply in the inbox. The request is
 * sent under `messageId`, or a new id; it is not sent again where its answer is lost.
 *
 * @throws what {@link resolveTarget}, {@link Client.dial} and {@link Client.request} throw
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
