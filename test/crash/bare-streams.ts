import { on, once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { Address } from '#lib/pilot/address.js'
import type { Listener, Stream, Streams } from '#lib/pilot/transport.js'

const SERVER = { address: new Address(0, 0xa), port: 1001 }
const CLIENT = { address: new Address(0, 0xb), port: 49152 }

/** A network of one server on the Unix socket at `path`, between processes, without a daemon. */
export class BareStreams implements Streams {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  async dial(): Promise<Stream> {
    const socket = connect(this.#path)
    await once(socket, 'connect')
    return asStream(socket, CLIENT, SERVER)
  }

  async listen(port: number): Promise<Listener> {
    // A killed server leaves its socket's file.
    rmSync(this.#path, { force: true })
    const server = createServer()
    const closing = new AbortController()
    const connections = on(server, 'connection', { signal: closing.signal })
    server.listen(this.#path)
    await once(server, 'listening')
    return {
      port,
      close: async () => {
        closing.abort()
        server.close()
      },
      async *[Symbol.asyncIterator]() {
        for await (const [socket] of connections) yield asStream(socket, SERVER, CLIENT)
      },
    }
  }
}

function asStream(socket: Socket, localAddress: typeof SERVER, remoteAddress: typeof SERVER): Stream {
  Object.defineProperties(socket, {
    localAddress: { value: localAddress },
    remoteAddress: { value: remoteAddress },
  })
  return socket as unknown as Stream
}
