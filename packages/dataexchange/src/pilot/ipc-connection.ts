import { connect, type Socket } from 'node:net'
import { MiB } from '../bytes.ts'
import { DriverError } from '../errors.ts'
import { systemCode } from '../system-errors.ts'
import {
  type Accepted,
  Command,
  decodeAccept,
  decodeConnId,
  decodeError,
  encodeConnId,
  encodeMessage,
  IpcDecoder,
  type IpcMessage,
} from './ipc-messages.ts'

/** Bytes that are kept for streams that the daemon has not announced yet. @limit bytes */
export const EARLY_BYTES: number = MiB

/** What a stream is told by the socket that carries it. */
export interface StreamEvents {
  /** Bytes from the peer. */
  data(bytes: Uint8Array): void
  /** CLOSE-OK: the daemon has ended the connection, asked or not. */
  ended(): void
  /** The socket is gone. */
  lost(error: DriverError): void
}

/** What a listener is told by its socket. */
export interface ListenerEvents {
  /** ACCEPT: a peer has connected. */
  accept(accepted: Accepted): void
  /** The socket is gone. */
  lost(error: DriverError): void
}

/**
 * One socket to a daemon (section 8): framing, one request in flight, and what the daemon pushes, handed to
 * the stream or listener that it is for. Connects at once; what is written before is sent then.
 *
 * Bytes and ends of connections that no stream stands for yet are kept, since they may overtake the message
 * that announces the connection. More than `EARLY_BYTES` of them end the socket: to drop some would
 * leave a stream with a hole that nobody sees. Those of connections that were forgotten are dropped.
 */
export class IpcConnection {
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>
  readonly #path: string
  readonly #socket: Socket
  readonly #decoder = new IpcDecoder()
  readonly #streams = new Map<number, StreamEvents>()
  readonly #early = new Map<number, EarlyEvents>()
  readonly #forgotten = new Set<number>()
  readonly #holding = new Set<number>()
  #earlyBytes = 0
  #listener: ListenerEvents | undefined
  #request: PendingRequest | undefined
  #connected = false
  #failure: DriverError | undefined

  constructor(socketPath: string) {
    this.#path = socketPath
    this.#socket = connect(socketPath)
    this.#socket.once('connect', () => {
      this.#connected = true
    })
    this.#socket.on('data', chunk => this.#read(chunk))
    this.#socket.once('end', () => this.close(this.#lost()))
    this.#socket.once('error', cause => this.close(this.#lost(cause)))
    this.closed = new Promise(resolve => {
      this.#socket.once('close', () => resolve())
    })
  }

  /**
   * Sends a request and waits for the reply with the command `reply`; its payload is the result. One at a
   * time: neither replies nor errors say what they answer.
   *
   * @throws {DriverError} DAEMON_REFUSED with the daemon's message, or what the socket failed with
   */
  request(command: number, payload: Uint8Array, reply: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#request = { reply, resolve, reject }
      this.#write(encodeMessage(command, payload), error => {
        if (error) reject(error)
      })
    })
  }

  /** Has ACCEPTs handed to `listener`. */
  listen(listener: ListenerEvents): void {
    this.#listener = listener
  }

  /** Has what comes for the connection `connId` handed to `stream`, first what came early. */
  attach(connId: number, stream: StreamEvents): void {
    this.#streams.set(connId, stream)
    const early = this.#takeEarly(connId)
    for (const bytes of early?.data ?? []) stream.data(bytes)
    if (early?.ended) stream.ended()
  }

  /** Drops what still comes for the connection `connId`. */
  forget(connId: number): void {
    this.#streams.delete(connId)
    this.#takeEarly(connId)
    this.#forgotten.add(connId)
    // Sets keep their order: the first is the one that was forgotten longest ago.
    if (this.#forgotten.size > FORGOTTEN_IDS)
      this.#forgotten.delete(this.#forgotten.values().next().value ?? 0)
    this.release(connId)
  }

  /** Stops reading the socket, for all that it carries, until each connection that holds it has let go. */
  hold(connId: number): void {
    this.#holding.add(connId)
    this.#socket.pause()
  }

  /** Ends a {@link hold}. */
  release(connId: number): void {
    if (this.#holding.delete(connId) && this.#holding.size === 0) this.#socket.resume()
  }

  /** Writes one SEND, its pieces not copied. `written` is called when the socket has taken all of it. */
  send(connId: number, pieces: readonly Uint8Array[], written: WriteCallback): void {
    this.#write(encodeMessage(Command.Send, encodeConnId(connId), ...pieces), written)
  }

  /** Writes CLOSE; the answer goes to the stream's `ended`. */
  sendClose(connId: number): void {
    this.#write(encodeMessage(Command.Close, encodeConnId(connId)))
  }

  /** Writes CANCEL: the daemon abandons the dials of this socket. */
  sendCancel(): void {
    this.#write(encodeMessage(Command.Cancel))
  }

  /** Closes the socket; all that waits on it, and all that it carries, fails with `error`. Idempotent. */
  close(error: DriverError = closedHere()): void {
    if (this.#failure) return
    this.#failure = error
    this.#socket.destroy()
    this.#request?.reject(error)
    for (const stream of [...this.#streams.values()]) stream.lost(error)
    this.#listener?.lost(error)
  }

  #read(chunk: Uint8Array): void {
    try {
      for (const message of this.#decoder.push(chunk)) {
        if (this.#failure) return
        this.#dispatch(message)
      }
    } catch (error) {
      // Anything else was thrown by a reader's own 'data' listener, and is none of the daemon's.
      if (!(error instanceof DriverError)) throw error
      const message = `what answers on ${this.#path} is no Pilot daemon: ${error.message}`
      this.close(new DriverError('DAEMON_NOT_PILOT', message, { cause: error }))
    }
  }

  #dispatch({ command, payload }: IpcMessage): void {
    if (command === Command.Recv) this.#pushed(decodeConnId(payload), payload.subarray(CONN_ID_SIZE))
    else if (command === Command.CloseOk) this.#pushed(decodeConnId(payload), undefined)
    else if (command === Command.Accept) this.#listener?.accept(decodeAccept(payload))
    else if (command === Command.Error) this.#refused(payload)
    else if (command === this.#request?.reply) this.#answered(payload)
    else if (TO_DAEMON.has(command)) throw notPilot(`it sent a request (0x${command.toString(16)})`)
    // All else is a late reply, or a command of other services.
  }

  #pushed(connId: number, data: Uint8Array | undefined): void {
    const stream = this.#streams.get(connId)
    if (stream === undefined) this.#keep(connId, data)
    else if (data === undefined) stream.ended()
    else stream.data(data)
  }

  #answered(payload: Uint8Array): void {
    const request = this.#request
    this.#request = undefined
    request?.resolve(payload)
  }

  #refused(payload: Uint8Array): void {
    const { code, message } = decodeError(payload)
    const request = this.#request
    this.#request = undefined
    request?.reject(new DriverError('DAEMON_REFUSED', message, { daemonCode: code }))
  }

  #keep(connId: number, data: Uint8Array | undefined): void {
    if (this.#forgotten.has(connId)) return
    const early = this.#early.get(connId) ?? { data: [], ended: false, cost: 0 }
    // A copy: a view would keep the whole chunk that was read.
    if (data === undefined) early.ended = true
    else early.data.push(data.slice())
    const cost = (data?.length ?? 0) + EARLY_OVERHEAD
    early.cost += cost
    this.#earlyBytes += cost
    this.#early.set(connId, early)
    if (this.#earlyBytes > EARLY_BYTES) {
      throw notPilot(`it sent over ${EARLY_BYTES} bytes for streams that it has not announced`)
    }
  }

  #takeEarly(connId: number): EarlyEvents | undefined {
    const early = this.#early.get(connId)
    this.#earlyBytes -= early?.cost ?? 0
    this.#early.delete(connId)
    return early
  }

  #write(pieces: readonly Uint8Array[], written?: WriteCallback): void {
    if (this.#failure) {
      process.nextTick(() => written?.(this.#failure))
      return
    }
    const last = pieces.length - 1
    this.#socket.cork()
    pieces.forEach((piece, i) => {
      if (i < last) this.#socket.write(piece)
      else
        this.#socket.write(piece, cause =>
          written?.(cause ? (this.#failure ?? this.#lost(cause)) : undefined),
        )
    })
    this.#socket.uncork()
  }

  #lost(cause?: Error): DriverError {
    if (!this.#connected) return unavailable(this.#path, cause)
    return new DriverError('DAEMON_GONE', `the daemon at ${this.#path} closed the connection`, { cause })
  }
}

/** Called when the socket has taken what was written, or has failed. */
export type WriteCallback = (error?: Error | null) => void

interface PendingRequest {
  reply: number
  resolve: (payload: Uint8Array) => void
  reject: (error: Error) => void
}

/** What came for a connection before it was announced. */
interface EarlyEvents {
  data: Uint8Array[]
  ended: boolean
  cost: number
}

function unavailable(path: string, cause: Error | undefined): DriverError {
  const why = REASONS[systemCode(cause) ?? ''] ?? cause?.message ?? 'the connection ended at once'
  return new DriverError(
    'DAEMON_UNAVAILABLE',
    `no daemon answers at ${path}: ${why}; start one (pilot-dx serve, or pilot-daemon), or name its socket (PILOT_SOCKET)`,
    { cause },
  )
}

function notPilot(why: string): DriverError {
  return new DriverError('DAEMON_NOT_PILOT', why)
}

function closedHere(): DriverError {
  return new DriverError('DRIVER_CLOSED', 'the socket was closed by this process')
}

const REASONS: Record<string, string> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens on it, the daemon has died or it is no socket',
  EACCES: 'this user may not connect to it',
  EPERM: 'this user may not connect to it',
  EAGAIN: 'the daemon takes no more connections at present',
}

/** Commands that only clients send. What echoes them, or is a client itself, is no daemon. */
const TO_DAEMON: ReadonlySet<number> = new Set([
  Command.Bind,
  Command.Dial,
  Command.Send,
  Command.Close,
  Command.Info,
  Command.ResolveHostname,
  Command.SetHostname,
  Command.Health,
  Command.Cancel,
  Command.Unbind,
])

const CONN_ID_SIZE = 4
/** What an early message costs beside its bytes, so that empty ones are bounded too. */
const EARLY_OVERHEAD = 64
/** A daemon may push for a connection a little longer than it is open; ids are not used again that soon. */
const FORGOTTEN_IDS = 1024
