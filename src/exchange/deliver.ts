import type { Address } from '../pilot/address.ts'
import type { Resolver, Streams } from '../pilot/transport.ts'
import { Client, type ClientOptions, type DeliverOptions } from './client.ts'
import type { Message } from './outgoing.ts'
import type { Receipt } from './receipt.ts'
import { resolveTarget } from './target.ts'

/**
 * Delivers one message: finds the peer, connects, sends, and resolves with the receipt once the peer has
 * acknowledged it. For several messages to one peer, keep a {@link Client}.
 *
 * @throws what {@link resolveTarget}, {@link Client.dial} and {@link Client.deliver} throw
 */
export async function deliver(
  driver: Pick<Streams, 'dial'> & Resolver,
  target: Address | string,
  message: Message,
  options: ClientOptions & DeliverOptions = {},
): Promise<Receipt> {
  const { signal, maxFrameSize } = options
  const address = typeof target === 'string' ? await resolveTarget(driver, target, { signal }) : target
  const client = await Client.dial(driver, address, { signal, maxFrameSize })
  try {
    return await client.deliver(message, options)
  } finally {
    await client.close()
  }
}
