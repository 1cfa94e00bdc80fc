import { connect, createServer, type Server, type Socket } from 'node:net'
import { IpcDecoder, type IpcMessage } from '#lib/pilot/ipc-messages.js'
import type { Side } from './transcript.js'

/** Hears what passes; a message before it is passed on. */
export interface TapListener {
  opened(connection: number): void
  message(connection: number, from: Side, message: IpcMessage): void
  closed(connection: number, from: Side): void
}

/** A socket in front of a daemon's, for one program; it passes everything on as it comes. */
export class Tap {
  readonly path: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** Listens at once. */
  constructor(path: string, daemon: string, listener: TapListener) {
    this.path = path
    let count = 0
    this.#server = createServer(client => this.#join(client, connect(daemon), count++, listener))
    this.#server.listen(path)
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(client: Socket, daemon: Socket, connection: number, listener: TapListener): void {
    listener.opened(connection)
    let isOver = false
    const ends: [Socket, Socket, Side][] = [
      [client, daemon, 'client'],
      [daemon, client, 'daemon'],
    ]
    for (const [from, to, side] of ends) {
      this.#sockets.add(from)
      const decoder = new IpcDecoder()
      from.on('data', chunk => {
        for (const message of decoder.push(chunk)) listener.message(connection, side, message)
        if (!to.write(chunk)) from.pause()
      })
      to.on('drain', () => from.resume())
      from.on('error', () => {})
      const end = () => {
        if (!isOver) listener.closed(connection, side)
        isOver = true
        to.end()
      }
      from.once('end', end)
      from.once('close', () => {
        this.#sockets.delete(from)
        end()
      })
    }
  }
}
