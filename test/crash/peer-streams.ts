import { EventEmitter, on, once } from 'node:events'
import { rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Address } from '#lib/pilot/address.js'
import type { Listener, Stream, Streams } from '#lib/pilot/transport.js'

/** The node that serves. */
export const SERVER: Address = new Address(0, 0xa)

/**
 * A network of one server on the Unix socket at `path`, between processes, without a daemon. Each connection
 * begins with the number of the node that it comes from, so that one process can be many peers.
 */
export class PeerStreams implements Streams {
  readonly #path: string
  readonly #node: number

  /** `node` is who dials. */
  constructor(path: string, node = 0xb) {
    this.#path = path
    this.#node = node
  }

  async dial(): Promise<Stream> {
    return asStream(await connectAs(this.#path, this.#node), this.#node, SERVER.node)
  }

  async listen(port: number): Promise<Listener> {
    // A killed server leaves its socket's file.
    rmSync(this.#path, { force: true })
    const accepted = new EventEmitter()
    const closing = new AbortController()
    const streams = on(accepted, 'stream', { signal: closing.signal })
    const server = createServer(async socket => {
      const node = await readNode(socket)
      if (node !== undefined) accepted.emit('stream', asStream(socket, SERVER.node, node))
    })
    server.listen({ path: this.#path, backlog: 4096 })
    await once(server, 'listening')
    return {
      port,
      close: async () => {
        closing.abort()
        server.close()
      },
      async *[Symbol.asyncIterator]() {
        for await (const [stream] of streams) yield stream
      },
    }
  }
}

/** A bare connection to the server at `path`, from `node`. */
export async function connectAs(path: string, node: number): Promise<Socket> {
  for (;;) {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
    } catch (error) {
      // So many wait to be accepted that the kernel takes no more.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      await delay(5)
      continue
    }
    socket.on('error', () => {})
    const preamble = Buffer.alloc(PREAMBLE)
    preamble.writeUInt32BE(node)
    socket.write(preamble)
    return socket
  }
}

const PREAMBLE = 4
const PORT = 1001

async function readNode(socket: Socket): Promise<number | undefined> {
  const ignore = () => {}
  socket.on('error', ignore)
  for (;;) {
    const bytes: Buffer | null = socket.read(PREAMBLE)
    if (bytes !== null) {
      socket.off('error', ignore)
      return bytes.readUInt32BE()
    }
    const ended = await new Promise<boolean>(resolve => {
      socket.once('readable', () => resolve(false))
      socket.once('close', () => resolve(true))
    })
    if (ended || socket.readableEnded) return undefined
  }
}

function asStream(socket: Socket, local: number, remote: number): Stream {
  Object.defineProperties(socket, {
    localAddress: { value: { address: new Address(0, local), port: PORT } },
    remoteAddress: { value: { address: new Address(0, remote), port: PORT } },
  })
  return socket as unknown as Stream
}
