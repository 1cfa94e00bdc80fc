import type { Duplex } from 'node:stream'
import type { WaitOptions } from '../async/wait.ts'
import type { Address, SocketAddress } from './address.ts'

/** The port of data exchange (section 1). */
export const DATA_EXCHANGE_PORT = 1001

/**
 * A stream between two agents: a Node Duplex that knows both ends. There is no half-close: `end()` writes
 * what is left, then closes both directions.
 */
export interface Stream extends Duplex {
  readonly localAddress: SocketAddress
  readonly remoteAddress: SocketAddress
}

/** Accepted streams, in order. Iterating ends after {@link close}, and throws when the daemon goes away. */
export interface Listener extends AsyncIterable<Stream> {
  readonly port: number
  /** Accepts no more. Streams that were accepted live on. Resolves when the port is free or the daemon cannot free it alone. */
  close(): Promise<void>
}

/** What data exchange needs of a network of agents. The driver has it; so may any other transport. */
export interface Streams {
  /** Connects to `port` of `address`. */
  dial(address: Address, port: number, options?: WaitOptions): Promise<Stream>
  /** Accepts streams to `port` of this node. */
  listen(port: number, options?: WaitOptions): Promise<Listener>
}

/** Who this node is. */
export interface Identity {
  readonly nodeId: number
  readonly address: Address
}

/** Finds addresses by name. */
export interface Resolver {
  resolve(hostname: string, options?: WaitOptions): Promise<Address>
}
