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

/** Callbacks of a stream on its socket. */
export interface StreamEvents {
  /** RECV: bytes from the peer. */
  data(bytes: Uint8Array): void
  /** CLOSE-OK: the daemon ended the connection, on request or because the peer closed it. */
  ended(): void
  /** The socket is closed. */
  lost(error: DriverError): void
}

/** Callbacks of a listener on its socket. */
export interface ListenerEvents {
  /** ACCEPT: a peer connected. */
  accept(accepted: Accepted): void
  /** The socket is closed. */
  lost(error: DriverError): void
}

/**
 * One socket to a daemon: framing `[ipc.framing]`, one request in flight `[ipc.one-in-flight]`, and dispatch of pushed
 * messages to their stream or listener. The constructor starts to connect; earlier writes are queued.
 *
 * RECV and CLOSE-OK may overtake the message that announces their connection `[ipc.early-recv]`, so they are buffered
 * until a stream attaches. More than `EARLY_BYTES` of them close the socket, because dropping some would leave
 * an unnoticed hole in a stream. Messages of forgotten connections are dropped.
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
   * Sends a request. Resolves with the payload of the reply whose command is `reply`. The caller keeps at most one
   * request in flight, because replies and errors do not name the request they answer.
   *
   * @throws {DriverError} DAEMON_REFUSED with the daemon's message, or the error that closed the socket
   */
  request(command: number, payload: Uint8Array, reply: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#request = { reply, resolve, reject }
      this.#write(encodeMessage(command, payload), error => {
        if (error) reject(error)
      })
    })
  }

  /** Registers the receiver of ACCEPTs. */
  listen(listener: ListenerEvents): void {
    this.#listener = listener
  }

  /** Registers the receiver of messages for the connection `connId`. Delivers buffered messages first. */
  attach(connId: number, stream: StreamEvents): void {
    this.#streams.set(connId, stream)
    const early = this.#takeEarly(connId)
    for (const bytes of early?.data ?? []) stream.data(bytes)
    if (early?.ended) stream.ended()
  }

  /** Drops all further messages for the connection `connId`. */
  forget(connId: number): void {
    this.#streams.delete(connId)
    this.#takeEarly(connId)
    this.#forgotten.add(connId)
    // A Set keeps insertion order: the first id is the oldest.
    if (this.#forgotten.size > FORGOTTEN_IDS)
      this.#forgotten.delete(this.#forgotten.values().next().value ?? 0)
    this.release(connId)
  }

  /** Pauses the socket, for all its connections, until each connection that holds it has called {@link release}. */
  hold(connId: number): void {
    this.#holding.add(connId)
    this.#socket.pause()
  }

  /** Ends a {@link hold}. */
  release(connId: number): void {
    if (this.#holding.delete(connId) && this.#holding.size === 0) this.#socket.resume()
  }

  /** Writes one SEND without copying `pieces`. Calls `written` when the socket has taken all of it. */
  send(connId: number, pieces: readonly Uint8Array[], written: WriteCallback): void {
    this.#write(encodeMessage(Command.Send, encodeConnId(connId), ...pieces), written)
  }

  /** Writes CLOSE. The stream's `ended` gets the CLOSE-OK. */
  sendClose(connId: number): void {
    this.#write(encodeMessage(Command.Close, encodeConnId(connId)))
  }

  /** Writes CANCEL: the daemon abandons the dials of this socket `[ipc.cancel]`. */
  sendCancel(): void {
    this.#write(encodeMessage(Command.Cancel))
  }

  /** Closes the socket. Its request, streams and listener fail with `error`. Idempotent. */
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
      // Any other error comes from a reader's own 'data' listener, not from the daemon.
      if (!(error instanceof DriverError)) throw error
      const message = `the program on ${this.#path} is not a Pilot daemon: ${error.message}`
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
    // The rest are late replies [ipc.late-reply] and commands of other services [ipc.unknown-command].
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
    // A view would keep the whole chunk in memory, so the bytes are copied.
    if (data === undefined) early.ended = true
    else early.data.push(data.slice())
    const cost = (data?.length ?? 0) + EARLY_OVERHEAD
    early.cost += cost
    this.#earlyBytes += cost
    this.#early.set(connId, early)
    if (this.#earlyBytes > EARLY_BYTES) {
      throw notPilot(`it sent over ${EARLY_BYTES} bytes for unannounced streams`)
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

/** Called when the socket has taken the bytes, or with the error of the socket. */
export type WriteCallback = (error?: Error | null) => void

interface PendingRequest {
  reply: number
  resolve: (payload: Uint8Array) => void
  reject: (error: Error) => void
}

/** Messages that came before their connection was announced. */
interface EarlyEvents {
  data: Uint8Array[]
  ended: boolean
  cost: number
}

function unavailable(path: string, cause: Error | undefined): DriverError {
  const why = REASONS[systemCode(cause) ?? ''] ?? cause?.message ?? 'the connection ended at once'
  return new DriverError(
    'DAEMON_UNAVAILABLE',
    `no daemon answers at ${path}: ${why}; start one (pilot-dx serve, or pilot-daemon), or set PILOT_SOCKET to its socket`,
    { cause },
  )
}

function notPilot(why: string): DriverError {
  return new DriverError('DAEMON_NOT_PILOT', why)
}

function closedHere(): DriverError {
  return new DriverError('DRIVER_CLOSED', 'this process closed the socket')
}

const REASONS: Record<string, string> = {
  ENOENT: 'the socket does not exist',
  ECONNREFUSED: 'nothing listens on it: the daemon died, or it is not a socket',
  EACCES: 'this user has no permission to connect',
  EPERM: 'this user has no permission to connect',
  EAGAIN: 'the daemon accepts no more connections for now',
}

/** Commands that only clients send. A program that sends them echoes, or is a client itself. */
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
/** Bytes charged for each buffered message beside its payload, so that the number of empty messages is bounded. */
const EARLY_OVERHEAD = 64
/** Number of forgotten ids to remember. A daemon may push to a connection shortly after its end; it reuses ids much later. */
const FORGOTTEN_IDS = 1024
