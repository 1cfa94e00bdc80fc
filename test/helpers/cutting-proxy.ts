import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Transform, type TransformCallback } from 'node:stream'

/** Stands between clients and a daemon, and cuts all their connections each time so many bytes have passed. */
export class CuttingProxy {
  readonly #server: Server
  readonly #daemon: string
  /** Counts of bytes, ascending. */
  readonly #cuts: number[]
  readonly #sockets = new Set<Socket>()
  #passed = 0
  #made = 0

  private constructor(daemon: string, cuts: readonly number[]) {
    this.#daemon = daemon
    this.#cuts = [...cuts].sort((a, b) => a - b)
    this.#server = createServer(client => this.#serve(client))
  }

  /** @param cuts how many bytes from clients to the daemon have passed in all, at each cut */
  static async start(path: string, daemon: string, cuts: readonly number[]): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(daemon, cuts)
    proxy.#server.listen(path)
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** Cuts so far. */
  get made(): number {
    return this.#made
  }

  #serve(client: Socket): void {
    const daemon = connect(this.#daemon)
    for (const [socket, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    const transform = (chunk: Buffer, _: BufferEncoding, done: TransformCallback) => {
      const fits = chunk.subarray(0, (this.#cuts[0] ?? Number.POSITIVE_INFINITY) - this.#passed)
      this.#passed += fits.length
      if (this.#passed !== this.#cuts[0]) {
        done(null, chunk)
        return
      }
      this.#cuts.shift()
      this.#made++
      // Bytes before the cut still arrive, even if it is in the middle of a message.
      daemon.end(fits)
      for (const socket of this.#sockets) if (socket !== daemon) socket.destroy()
    }
    client.pipe(new Transform({ transform })).pipe(daemon)
    daemon.pipe(client)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }
}
