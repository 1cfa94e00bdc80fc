import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DriverError } from '#lib/errors.js'
import { Address, type SocketAddress } from '#lib/pilot/address.js'
import {
  DATA_EXCHANGE_PORT,
  type Listener,
  type Resolver,
  type Stream,
  type Streams,
} from '#lib/pilot/transport.js'
import { tempDir } from './temp-dir.ts'

/** The node that serves. */
export const SERVER_ADDRESS: Address = new Address(0, 0xa)
export const CLIENT_ADDRESS: Address = new Address(1, 0xa3f291)

/**
 * A network of one server over real Unix sockets, without a daemon, within a process or between several: for
 * tests of what lies above the driver. Each connection begins with the address of the node that it comes
 * from, so that one process can be many peers; or with nothing, for other programs.
 */
export class SocketStreams implements Streams, Resolver {
  readonly #base: string
  readonly #node: Address | null
  readonly #servers = new Map<number, Server>()

  /** The socket of port 1001 is at `base`; `node` is who dials, null for connections that do not tell. */
  constructor(base: string, node: Address | null = CLIENT_ADDRESS) {
    this.#base = base
    this.#node = node
  }

  /** The same network for another node that dials. */
  as(node: Address): SocketStreams {
    return new SocketStreams(this.#base, node)
  }

  /** The only other node. */
  async resolve(): Promise<Address> {
    return SERVER_ADDRESS
  }

  async dial(_address: Address = SERVER_ADDRESS, port: number = DATA_EXCHANGE_PORT): Promise<Stream> {
    const socket = await connectAs(this.#base, this.#node, port).catch(cause => {
      throw new DriverError('DIAL_FAILED', 'connection refused', { cause })
    })
    return asStream(socket, theirs(this.#node ?? CLIENT_ADDRESS), ours(port))
  }

  async listen(port: number): Promise<Listener> {
    if (this.#servers.has(port)) throw new DriverError('PORT_IN_USE', `port ${port} is bound`)
    const server = createServer()
    this.#servers.set(port, server)
    // A killed server leaves its socket's file.
    rmSync(socketPath(this.#base, port), { force: true })
    server.listen({ path: socketPath(this.#base, port), backlog: 4096 })
    await once(server, 'listening')
    return new SocketListener(server, { port, isTold: this.#node !== null }, () => this.#servers.delete(port))
  }

  /** Acts like the death of a daemon: the listener of `port` fails, and the port is free. */
  breakListener(port: number): void {
    const server = this.#servers.get(port)
    server?.emit('error', new DriverError('DAEMON_GONE', 'the daemon went away'))
    server?.close()
    this.#servers.delete(port)
  }

  /** Ends all listeners. */
  close(): void {
    for (const server of this.#servers.values()) server.close()
  }
}

/** A network in a folder that is removed with the test. */
export function socketStreams(t: TestContext): SocketStreams {
  const streams = new SocketStreams(join(tempDir(t), 's'))
  t.after(() => streams.close())
  return streams
}

/** A bare connection from `node`, where it is to be told, to the server of the network at `base`. */
export async function connectAs(
  base: string,
  node: Address | null,
  port: number = DATA_EXCHANGE_PORT,
): Promise<Socket> {
  for (;;) {
    const socket = connect(socketPath(base, port))
    try {
      await once(socket, 'connect')
    } catch (error) {
      // The backlog of the socket is full.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await delay(5)
      continue
    }
    if (node === null) return socket
    const preamble = Buffer.alloc(PREAMBLE)
    preamble.writeUInt16BE(node.network)
    preamble.writeUInt32BE(node.node, 2)
    socket.write(preamble)
    return socket
  }
}

class SocketListener implements Listener {
  readonly port: number
  readonly #server: Server
  readonly #onClose: () => void
  readonly #waiting: Stream[] = []
  #failure: Error | undefined
  #closed = false
  #wake = () => {}

  constructor(server: Server, { port, isTold }: { port: number; isTold: boolean }, onClose: () => void) {
    this.port = port
    this.#server = server
    this.#onClose = onClose
    server.on('connection', async (socket: Socket) => {
      const node = isTold ? await readNode(socket) : CLIENT_ADDRESS
      if (node === undefined) return
      this.#waiting.push(asStream(socket, ours(port), theirs(node)))
      this.#wake()
    })
    server.on('error', error => {
      this.#failure = error
      this.#wake()
    })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Stream, void, undefined> {
    while (!this.#closed) {
      const stream = this.#waiting.shift()
      if (stream) yield stream
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

const PREAMBLE = 6

/** Undefined where the connection ends before. */
async function readNode(socket: Socket): Promise<Address | undefined> {
  const ignore = () => {}
  socket.on('error', ignore)
  for (;;) {
    const bytes: Buffer | null = socket.read(PREAMBLE)
    if (bytes !== null) {
      socket.off('error', ignore)
      return new Address(bytes.readUInt16BE(), bytes.readUInt32BE(2))
    }
    const ended = await new Promise<boolean>(resolve => {
      socket.once('readable', () => resolve(false))
      socket.once('close', () => resolve(true))
    })
    if (ended || socket.readableEnded) return undefined
  }
}

function asStream(socket: Socket, localAddress: SocketAddress, remoteAddress: SocketAddress): Stream {
  Object.defineProperties(socket, {
    localAddress: { value: localAddress },
    remoteAddress: { value: remoteAddress },
  })
  return socket as unknown as Stream
}

function ours(port: number): SocketAddress {
  return { address: SERVER_ADDRESS, port }
}

function theirs(address: Address): SocketAddress {
  return { address, port: 49152 }
}

function socketPath(base: string, port: number): string {
  return port === DATA_EXCHANGE_PORT ? base : `${base}-${port}`
}
