import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concat, utf8 } from '#lib/bytes.js'
import { parseAddress } from '#lib/pilot/address.js'
import {
  Command,
  encodeAccept,
  encodeConnId,
  encodeMessage,
  encodePort,
  IpcDecoder,
  type IpcMessage,
} from '#lib/pilot/ipc-messages.js'

export const NODE = '1:0001.00A3.F291'
export const PEER = { address: parseAddress('1:0001.0000.0009'), port: 40_000 }

/** The bytes of one message. */
export function message(command: number, ...payload: Uint8Array[]): Uint8Array {
  return concat(encodeMessage(command, ...payload))
}

/** The bytes of a pushed RECV. */
export function recv(connId: number, data: string | Uint8Array): Uint8Array {
  return message(Command.Recv, encodeConnId(connId), typeof data === 'string' ? utf8(data) : data)
}

/** The bytes of a pushed ACCEPT. */
export function accept(connId: number, localPort = 1001): Uint8Array {
  return message(Command.Accept, encodeAccept({ localPort, connId, remote: PEER }))
}

/** The bytes of CLOSE-OK. */
export function closeOk(connId: number): Uint8Array {
  return message(Command.CloseOk, encodeConnId(connId))
}

/** The daemon's end of one socket, played by a test. */
export class FakeClient {
  readonly socket: Socket
  readonly closed: Promise<void>
  readonly #decoder = new IpcDecoder()
  readonly #messages: IpcMessage[] = []
  #wake: () => void = () => {}
  #ended = false

  constructor(socket: Socket) {
    this.socket = socket
    this.closed = new Promise(resolve => {
      socket.once('close', () => {
        this.#ended = true
        this.#wake()
        resolve()
      })
    })
    socket.on('error', () => {})
  }

  take(chunk: Uint8Array): IpcMessage[] {
    return this.#decoder.push(chunk)
  }

  queue(received: IpcMessage): void {
    this.#messages.push({ command: received.command, payload: received.payload.slice() })
    this.#wake()
  }

  /** How many messages have come that no `expect` has taken. */
  get pending(): number {
    return this.#messages.length
  }

  /** The payload of the next message, which must have this command. */
  async expect(command: number): Promise<Uint8Array> {
    const next = await this.first()
    assert.equal(next.command, command, `command 0x${next.command.toString(16)}`)
    return next.payload
  }

  /** The next message, whatever it is. */
  async first(): Promise<IpcMessage> {
    while (this.#messages.length === 0) {
      assert.ok(!this.#ended, 'the client closed where a message was expected')
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift() as IpcMessage
  }

  send(...messages: Uint8Array[]): void {
    this.socket.write(concat(messages))
  }

  /** Answers a DIAL. */
  async dialOk(connId: number, ...more: Uint8Array[]): Promise<void> {
    await this.expect(Command.Dial)
    this.send(message(Command.DialOk, encodeConnId(connId)), ...more)
  }

  /** Answers a BIND. */
  async bindOk(...more: Uint8Array[]): Promise<void> {
    const port = await this.expect(Command.Bind)
    this.send(message(Command.BindOk, port), ...more)
  }

  /** Answers an UNBIND as newer daemons do. */
  async unbindOk(): Promise<void> {
    await this.expect(Command.Unbind)
    this.send(message(Command.UnbindOk, encodePort(1001)))
  }
}

/** A real Unix socket whose other side a test plays. INFO is answered by itself unless `info` is false. */
export class FakeDaemon {
  readonly path: string
  readonly sockets = new Set<Socket>()
  readonly #folder: string
  readonly #server: Server
  readonly #clients: FakeClient[] = []
  #wake: () => void = () => {}

  static async start({ info = true } = {}): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(info)
    await new Promise<void>(resolve => {
      daemon.#server.listen(daemon.path, resolve)
    })
    return daemon
  }

  private constructor(info: boolean) {
    this.#folder = mkdtempSync(join(tmpdir(), 'fake-daemon-'))
    this.path = join(this.#folder, 'pilot.sock')
    this.#server = createServer(socket => this.#connected(socket, info))
  }

  /** The next socket that has something to say but INFO. */
  async client(): Promise<FakeClient> {
    while (this.#clients.length === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#clients.shift() as FakeClient
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise(resolve => {
      this.#server.close(resolve)
    })
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #connected(socket: Socket, info: boolean): void {
    this.sockets.add(socket)
    const client = new FakeClient(socket)
    void client.closed.then(() => this.sockets.delete(socket))
    let known = !info
    if (known) this.#announce(client)
    socket.on('data', chunk => {
      for (const received of client.take(chunk)) {
        if (info && received.command === Command.Info) {
          socket.write(message(Command.InfoOk, utf8(JSON.stringify({ node_id: 7, address: NODE }))))
          continue
        }
        if (!known) this.#announce(client)
        known = true
        client.queue(received)
      }
    })
  }

  #announce(client: FakeClient): void {
    this.#clients.push(client)
    this.#wake()
  }
}
