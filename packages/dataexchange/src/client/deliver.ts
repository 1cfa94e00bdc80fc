import type { Address } from '../pilot/address.ts'
import type { Resolver, Streams } from '../pilot/transport.ts'
import type { DeliverOptions } from './client-options.ts'
import type { Message } from './outgoing.ts'
import type { Receipt } from './receipt.ts'
import { ResendingClient, type ResendingClientOptions } from './resending-client.ts'

/** Options of {@link deliver}. */
export interface DeliverOnceOptions extends ResendingClientOptions, DeliverOptions {}

/**
 * Delivers one message: resolves the target, connects, sends, and closes. Resolves on the ACK: the peer has stored it.
 *
 * The message has the id `messageId`, or a new one (a TRACE only the given one), so that it can be sent again if the
 * answer is lost `[tagged.resend]`: the receipt's `resent` tells. The id adds some 60 bytes to the frame, which must
 * fit the cap of both sides. For several messages to one peer, keep a {@link ResendingClient} or a `Client`.
 *
 * @param target an address, a node id or a hostname, see {@link parseTarget}
 * @throws what {@link ResendingClient.deliver} throws; `mayBeStored(error)` tells whether the peer may have the message
 */
export async function deliver(
  driver: Pick<Streams, 'dial'> & Resolver,
  target: Address | string,
  message: Message,
  options: DeliverOnceOptions = {},
): Promise<Receipt> {
  const client = new ResendingClient(driver, target, options)
  try {
    return await client.deliver(message, options)
  } finally {
    await client.close()
  }
}
