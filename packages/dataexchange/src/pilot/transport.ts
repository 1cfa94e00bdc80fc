import type { Duplex } from 'node:stream'
import type { WaitOptions } from '../async/wait.ts'
import type { Address, SocketAddress } from './address.ts'

/** The port of data exchange. */
export const DATA_EXCHANGE_PORT = 1001

/**
 * A stream between two agents: a Node Duplex with the addresses of both ends. It has no half-close: `end()` flushes
 * and then closes both directions.
 */
export interface Stream extends Duplex {
  readonly localAddress: SocketAddress
  readonly remoteAddress: SocketAddress
}

/** Accepted streams, in order. The iteration ends after {@link close} and throws if the daemon closes the socket. */
export interface Listener extends AsyncIterable<Stream> {
  readonly port: number
  /** Stops accepting. Accepted streams stay open. Resolves when the port is free, or the daemon has said that it cannot free a port alone. */
  close(): Promise<void>
}

/** The transport that data exchange needs. `Driver` implements it; another transport may. */
export interface Streams {
  /** Opens a stream to `port` of `address`. */
  dial(address: Address, port: number, options?: WaitOptions): Promise<Stream>
  /** Binds `port` of this node and accepts streams to it. */
  listen(port: number, options?: WaitOptions): Promise<Listener>
}

/** The identity of this node. */
export interface Identity {
  readonly nodeId: number
  readonly address: Address
}

/** Resolves hostnames to addresses. */
export interface Resolver {
  resolve(hostname: string, options?: WaitOptions): Promise<Address>
}
