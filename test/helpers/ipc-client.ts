import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { type Address, parseAddress } from '#lib/pilot/address.js'
import {
  type Accepted,
  Command,
  decodeAccept,
  decodeConnId,
  decodeError,
  decodeJson,
  encodeConnId,
  encodeDial,
  encodeMessage,
  encodePort,
  IpcDecoder,
  type IpcMessage,
} from '#lib/pilot/ipc-messages.js'

/** A bare client of a daemon's socket: every message that comes is kept until a test asks for it. */
export class IpcClient {
  readonly socket: Socket
  /** Bytes of RECV, by connection. */
  readonly received = new Map<number, Buffer[]>()
  readonly closed: Promise<unknown>
  readonly #decoder = new IpcDecoder()
  readonly #messages: IpcMessage[] = []
  readonly #waiting: { wanted: (message: IpcMessage) => boolean; found: (message: IpcMessage) => void }[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    this.closed = once(socket, 'close').catch(() => {})
    socket.on('error', () => {})
    socket.on('data', chunk => {
      for (const message of this.#decoder.push(chunk)) this.#keep(message)
    })
  }

  static async connect(path: string): Promise<IpcClient> {
    const socket = createConnection({ path })
    await once(socket, 'connect')
    return new IpcClient(socket)
  }

  /** Resolves when the message is in the kernel. */
  send(command: number, ...payload: Uint8Array[]): Promise<void> {
    return this.write(Buffer.concat(encodeMessage(command, ...payload)))
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, error => (error ? reject(error) : resolve()))
    })
  }

  /** The next message with one of `commands`, which may have come already. */
  next(...commands: number[]): Promise<IpcMessage> {
    return this.#find(({ command }) => commands.includes(command))
  }

  /** Sends a request; resolves to the answer's payload. */
  async ask(command: number, answer: number, ...payload: Uint8Array[]): Promise<Uint8Array> {
    void this.send(command, ...payload)
    const message = await this.next(answer, Command.Error)
    if (message.command === Command.Error) throw new Error(decodeError(message.payload).message)
    return message.payload
  }

  async json(command: number, text = ''): Promise<Record<string, unknown>> {
    return decodeJson(await this.ask(command, command + 1, Buffer.from(text)))
  }

  async bind(port: number): Promise<void> {
    await this.ask(Command.Bind, Command.BindOk, encodePort(port))
  }

  async dial(address: Address | string, port: number): Promise<number> {
    const target = typeof address === 'string' ? parseAddress(address) : address
    return decodeConnId(await this.ask(Command.Dial, Command.DialOk, encodeDial(target, port)))
  }

  async accepted(): Promise<Accepted> {
    return decodeAccept((await this.next(Command.Accept)).payload)
  }

  /** SEND. */
  say(connId: number, data: Uint8Array | string): Promise<void> {
    return this.send(Command.Send, encodeConnId(connId), Buffer.from(data as Uint8Array))
  }

  /** CLOSE, without waiting. */
  close(connId: number): Promise<void> {
    return this.send(Command.Close, encodeConnId(connId))
  }

  /** Everything that came over `connId` until its CLOSE-OK. */
  async allOf(connId: number): Promise<Buffer> {
    await this.ended(connId)
    return Buffer.concat(this.received.get(connId) ?? [])
  }

  async ended(connId: number): Promise<void> {
    await this.#find(m => m.command === Command.CloseOk && decodeConnId(m.payload) === connId)
  }

  #find(wanted: (message: IpcMessage) => boolean): Promise<IpcMessage> {
    const index = this.#messages.findIndex(wanted)
    const [message] = index < 0 ? [] : this.#messages.splice(index, 1)
    if (message !== undefined) return Promise.resolve(message)
    return new Promise(found => {
      this.#waiting.push({ wanted, found })
    })
  }

  #keep(message: IpcMessage): void {
    if (message.command === Command.Recv) {
      const connId = decodeConnId(message.payload)
      const pieces = this.received.get(connId) ?? []
      pieces.push(Buffer.from(message.payload.subarray(4)))
      this.received.set(connId, pieces)
      this.socket.emit('recv', connId)
      return
    }
    const index = this.#waiting.findIndex(({ wanted }) => wanted(message))
    const [waiting] = index < 0 ? [] : this.#waiting.splice(index, 1)
    if (waiting === undefined) this.#messages.push({ ...message, payload: message.payload.slice() })
    else waiting.found(message)
  }
}
