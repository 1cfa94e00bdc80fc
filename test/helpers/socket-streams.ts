import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { DriverError } from '#lib/errors.js'
import { Address, type SocketAddress } from '#lib/pilot/address.js'
import type { Listener, Resolver, Stream, Streams } from '#lib/pilot/transport.js'
import { tempDir } from './temp-dir.ts'

export const SERVER_ADDRESS = new Address(0, 0xa)
export const CLIENT_ADDRESS = new Address(1, 0xa3f291)

/** A network of one server over real Unix sockets, without a daemon: for tests of what lies above the driver. */
export class SocketStreams implements Streams, Resolver {
  readonly #dir: string
  readonly #servers = new Map<number, Server>()

  constructor(t: TestContext) {
    this.#dir = tempDir(t)
    t.after(() => {
      for (const server of this.#servers.values()) server.close()
    })
  }

  /** The only other node. */
  async resolve(): Promise<Address> {
    return SERVER_ADDRESS
  }

  async dial(_address: Address, port: number): Promise<Stream> {
    const socket = connect(this.#path(port))
    await once(socket, 'connect').catch(cause => {
      throw new DriverError('DIAL_FAILED', 'connection refused', { cause })
    })
    return asStream(socket, local(CLIENT_ADDRESS, 49152), local(SERVER_ADDRESS, port))
  }

  async listen(port: number): Promise<Listener> {
    if (this.#servers.has(port)) throw new DriverError('PORT_IN_USE', `port ${port} is bound`)
    const server = createServer()
    this.#servers.set(port, server)
    server.listen(this.#path(port))
    await once(server, 'listening')
    return new SocketListener(server, port, () => this.#servers.delete(port))
  }

  /** What a daemon that dies does: the listener of `port` fails, and the port is free. */
  breakListener(port: number): void {
    const server = this.#servers.get(port)
    server?.emit('error', new DriverError('DAEMON_GONE', 'the daemon went away'))
    server?.close()
    this.#servers.delete(port)
  }

  #path(port: number): string {
    return join(this.#dir, `${port}.sock`)
  }
}

class SocketListener implements Listener {
  readonly port: number
  readonly #server: Server
  readonly #onClose: () => void
  readonly #waiting: Socket[] = []
  #failure: Error | undefined
  #closed = false
  #wake = () => {}

  constructor(server: Server, port: number, onClose: () => void) {
    this.port = port
    this.#server = server
    this.#onClose = onClose
    server.on('connection', (socket: Socket) => {
      this.#waiting.push(socket)
      this.#wake()
    })
    server.on('error', error => {
      this.#failure = error
      this.#wake()
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Stream, void, undefined> {
    while (!this.#closed) {
      const socket = this.#waiting.shift()
      if (socket) yield asStream(socket, local(SERVER_ADDRESS, this.port), local(CLIENT_ADDRESS, 49152))
      else if (this.#failure) throw this.#failure
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#server.close()
    this.#onClose()
    this.#wake()
  }
}

function asStream(socket: Socket, localAddress: SocketAddress, remoteAddress: SocketAddress): Stream {
  Object.defineProperties(socket, {
    localAddress: { value: localAddress },
    remoteAddress: { value: remoteAddress },
  })
  return socket as unknown as Stream
}

function local(address: Address, port: number): SocketAddress {
  return { address, port }
}
