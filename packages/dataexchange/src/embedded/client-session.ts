import { setMaxListeners } from 'node:events'
import type { Socket } from 'node:net'
import { DriverError, PilotError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import type { Logger } from '../logger.ts'
import type { SocketAddress } from '../pilot/address.ts'
import {
  Command,
  decodeConnId,
  encodeAccept,
  encodeConnId,
  encodeError,
  encodeMessage,
  IpcDecoder,
  type IpcMessage,
} from '../pilot/ipc-messages.ts'
import { systemCode } from '../system-errors.ts'
import { REQUESTS, type Reply, type Requester } from './commands.ts'
import { acceptStream } from './handshake.ts'
import type { LocalNode, PortOwner } from './local-node.ts'
import { LocalStream, type StreamOwner } from './local-stream.ts'

/** Time after which a client of the embedded daemon is dropped because it reads nothing. @limit ms */
export const CLIENT_STALL_MS = 10_000

/**
 * Unanswered requests of one client of the embedded daemon; at this number its socket is not read.
 * @limit count
 */
const MAX_REQUESTS = 128

/**
 * Dials that wait for a client of the embedded daemon that reads too slowly; others are refused.
 * @limit count
 */
export const DIAL_BACKLOG = 128

/** Dependencies of a session besides its node. */
export interface SessionContext {
  readonly logger: Logger
  readonly saveHostname: () => Promise<void>
}

/**
 * One client of the daemon's socket: its requests, ports and streams.
 *
 * Replies keep the order of the requests, because an ERROR does not name the command it answers. The protocol has no
 * flow control for a single stream, so the streams of a client share the state of its socket: while one stream's
 * buffer is full, the socket is not read; while the client does not read, no stream is read. A client with independent
 * streams opens a socket for each.
 */
export class ClientSession implements Requester, PortOwner, StreamOwner {
  readonly node: LocalNode
  readonly #socket: Socket
  readonly #context: SessionContext
  readonly #decoder = new IpcDecoder()
  readonly #streams = new Map<number, LocalStream>()
  /** Streams that may have bytes for the client, in round-robin order. */
  readonly #readable = new Set<LocalStream>()
  readonly #full = new Set<LocalStream>()
  /** Aborts the dials in flight. Created by a dial: most clients of a busy daemon are idle streams. */
  #dials: AbortController | undefined
  #dialling = 0
  #lastReply: Promise<void> = Promise.resolve()
  #unanswered = 0
  #waitingDials: (() => void)[] = []
  #stallTimer: NodeJS.Timeout | undefined
  #left = false

  constructor(node: LocalNode, socket: Socket, context: SessionContext) {
    this.node = node
    this.#socket = socket
    this.#context = context
    socket.on('error', error => context.logger.debug({ err: error }, 'a client’s socket failed'))
    socket.on('drain', () => this.#onDrain())
    socket.on('end', () => this.leave())
    socket.on('close', () => {
      clearTimeout(this.#stallTimer)
      this.leave()
    })
    socket.on('data', chunk => this.#read(chunk))
  }

  /** Frees the client's ports, ends its streams, and closes its socket after the queued writes. */
  leave(): void {
    if (this.#left) return
    this.#left = true
    this.node.unbindAll(this)
    this.#dials?.abort()
    for (const stream of this.#streams.values()) this.#forget(stream).close()
    this.#admitDials()
    this.#socket.destroySoon()
  }

  bind(port: number): void {
    this.node.bind(port, this)
  }

  unbind(port: number): void {
    this.node.unbind(port, this)
  }

  async dial(remote: SocketAddress): Promise<number> {
    this.#dials ??= dialController()
    this.#dialling++
    try {
      const { socket } = await this.node.dial(remote, this.#dials.signal)
      return this.#addStream(socket).id
    } finally {
      if (--this.#dialling === 0) this.#dials = undefined
    }
  }

  startStream(connId: number): void {
    this.#streams.get(connId)?.start()
  }

  saveHostname(): Promise<void> {
    return this.#context.saveHostname()
  }

  async accept(localPort: number, remote: SocketAddress, socket: Socket): Promise<void> {
    await this.#acceptCapacity()
    if (socket.destroyed) return
    if (this.#left) {
      throw new DriverError('DIAL_FAILED', `connection refused: the listener on port ${localPort} has closed`)
    }
    acceptStream(socket)
    const stream = this.#addStream(socket)
    this.#send(encodeMessage(Command.Accept, encodeAccept({ localPort, connId: stream.id, remote })))
    stream.start()
  }

  onReadable(stream: LocalStream): void {
    this.#readable.add(stream)
    this.#pump()
  }

  onEnded(stream: LocalStream): void {
    this.#forget(stream)
    this.#send(encodeMessage(Command.CloseOk, encodeConnId(stream.id)))
    this.#balance()
  }

  onRelieved(stream: LocalStream): void {
    if (this.#full.delete(stream)) this.#balance()
  }

  #read(chunk: Uint8Array): void {
    try {
      for (const message of this.#decoder.push(chunk)) this.#handle(message)
    } catch (error) {
      this.#drop(error)
    }
    this.#balance()
  }

  #handle({ command, payload }: IpcMessage): void {
    if (command === Command.Send) this.#write(decodeConnId(payload), payload.subarray(4))
    else if (command === Command.Close) this.#close(decodeConnId(payload))
    else if (command === Command.Cancel) this.#cancelDials()
    else this.#reply(command, payload)
  }

  #write(connId: number, data: Uint8Array): void {
    const stream = this.#streams.get(connId)
    // A SEND may cross the end of its stream: the bytes are dropped.
    if (stream === undefined) return
    stream.write(data)
    if (stream.isFull) this.#full.add(stream)
  }

  #close(connId: number): void {
    const stream = this.#streams.get(connId)
    if (stream !== undefined) this.#forget(stream).close()
    this.#send(encodeMessage(Command.CloseOk, encodeConnId(connId)))
  }

  #cancelDials(): void {
    this.#dials?.abort()
    this.#dials = undefined
  }

  #reply(command: number, payload: Uint8Array): void {
    const reply = replyTo(this, command, payload)
    const previous = this.#lastReply
    this.#unanswered++
    this.#lastReply = (async () => {
      try {
        const { message, sent } = await reply
        await previous
        this.#send(message)
        sent?.()
      } catch (error) {
        await previous
        this.#drop(error)
      }
      this.#unanswered--
      this.#balance()
    })()
  }

  #addStream(socket: Socket): LocalStream {
    const stream = new LocalStream(this.node.newConnId(), socket, this)
    this.#streams.set(stream.id, stream)
    // The client may have left while the stream was opening.
    if (this.#left) this.#forget(stream).close()
    return stream
  }

  #forget(stream: LocalStream): LocalStream {
    this.#streams.delete(stream.id)
    this.#readable.delete(stream)
    this.node.freeConnId(stream.id)
    return stream
  }

  /** Forwards received bytes to the client, one piece of each stream in turn, until its socket is full. */
  #pump(): void {
    for (const stream of this.#readable) {
      if (this.#socket.writableNeedDrain) return
      this.#readable.delete(stream)
      const data = stream.take()
      if (data === null) continue
      this.#readable.add(stream)
      this.#send(encodeMessage(Command.Recv, encodeConnId(stream.id), data))
    }
  }

  #send(message: Uint8Array[]): void {
    if (!this.#socket.writable) return
    this.#socket.cork()
    for (const piece of message) this.#socket.write(piece, () => this.#watchStall('progress'))
    this.#socket.uncork()
    this.#watchStall('more')
  }

  /** Runs a timer while bytes are queued for the client. Each piece that the client takes restarts it. */
  #watchStall(event: 'progress' | 'more'): void {
    if (event === 'more' && this.#stallTimer !== undefined) return
    clearTimeout(this.#stallTimer)
    this.#stallTimer = undefined
    if (this.#socket.writableLength === 0 || this.#socket.destroyed) return
    this.#stallTimer = setTimeout(() => {
      this.#drop(new DriverError('STREAM_STALLED', 'the client did not read its socket'))
    }, CLIENT_STALL_MS)
  }

  #onDrain(): void {
    this.#admitDials()
    this.#pump()
    this.#balance()
  }

  /** Pauses the client's socket while its queued data is over a bound, and resumes it below. */
  #balance(): void {
    const mayRead =
      this.#full.size === 0 &&
      this.#unanswered < MAX_REQUESTS &&
      this.#socket.writableLength <= FIXED_LIMITS.ipcMessage.value
    if (mayRead) this.#socket.resume()
    else this.#socket.pause()
  }

  /** Waits until the client's socket can take one more ACCEPT. */
  async #acceptCapacity(): Promise<void> {
    while (this.#socket.writableNeedDrain && !this.#left) {
      if (this.#waitingDials.length >= DIAL_BACKLOG) {
        throw new DriverError('DIAL_FAILED', 'connection refused: the listener does not keep up')
      }
      await new Promise<void>(resolve => {
        this.#waitingDials.push(resolve)
      })
    }
  }

  #admitDials(): void {
    for (const admit of this.#waitingDials.splice(0)) admit()
  }

  #drop(error: unknown): void {
    if (this.#socket.destroyed) return
    this.#context.logger.warn({ err: error }, 'a client was dropped')
    this.#socket.destroy()
  }
}

/** An AbortController for as many dials as requests may be in flight. */
function dialController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(MAX_REQUESTS + 1, controller.signal)
  return controller
}

async function replyTo(client: Requester, command: number, payload: Uint8Array): Promise<Reply> {
  const request = REQUESTS[command]
  if (request === undefined) return refusal(`unknown command: 0x${command.toString(16).padStart(2, '0')}`)
  try {
    return await request(client, payload)
  } catch (error) {
    if (error instanceof PilotError && error.code === 'DAEMON_NOT_PILOT') throw error
    return refusal(error instanceof PilotError ? error.message : `internal error ${systemCode(error) ?? ''}`)
  }
}

function refusal(message: string): Reply {
  return { message: encodeMessage(Command.Error, encodeError(REFUSED, message)) }
}

/** The code in every ERROR of this daemon. Clients read the message. */
const REFUSED = 1
