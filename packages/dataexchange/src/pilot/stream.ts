import { Duplex } from 'node:stream'
import { ByteCollector, MiB } from '../bytes.ts'
import { DriverError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import { formatSocketAddress, type SocketAddress } from './address.ts'
import type { IpcConnection, WriteCallback } from './ipc-connection.ts'
import type { Stream } from './transport.ts'

/**
 * Bytes of one stream that wait for its reader; at this size the socket of the daemon is not read.
 * @limit bytes
 */
export const STREAM_BUFFER: number = MiB

/** Time after which a stream is reset because its reader leaves its buffer full. @limit ms */
export const STREAM_STALL_MS = 5_000

/** What a {@link PilotStream} is made of. */
export interface PilotStreamParts {
  /** The socket that carries it. */
  ipc: IpcConnection
  /** The daemon's number for the connection. */
  connId: number
  localAddress: SocketAddress
  remoteAddress: SocketAddress
  /** True where the socket carries other streams too: a reader that stalls then has its stream reset. */
  shared: boolean
  /** Called once, when the daemon's connection is over: what is left to read is in memory. */
  onOver: () => void
}

/**
 * A stream between two agents, over the daemon's socket (section 8). There is no half-close: `end()` writes
 * what is left, then CLOSE, and waits for CLOSE-OK for at most 5 s (`FIXED_LIMITS.closeTimeout`; after that the
 * stream is destroyed); what the peer sends until then can be read. Where the peer ends the stream, reading
 * ends after the bytes that have arrived, and writing fails.
 *
 * A write's callback is called when the socket has taken the bytes, which is all that a daemon lets know:
 * only an answer of the peer shows that it has them.
 *
 * Up to 1 MiB (`STREAM_BUFFER`) waits for the reader; then the socket is not read until half of it is
 * taken. On a listener's socket, which its streams share, a reader that leaves the buffer full for 5 s
 * (`STREAM_STALL_MS`) has its stream reset (STREAM_STALLED), so that the others go on; one that takes
 * a little lets the socket be read a little. A dialled stream has its socket to itself and is never reset
 * here. It pushes back on the daemon, which drops a client that does not read for 10 s while bytes wait for
 * it: the stream then fails with DAEMON_GONE, and no other does.
 *
 * Errors: DAEMON_GONE where the daemon goes away; STREAM_CLOSED for what is written after either side has
 * closed; STREAM_STALLED; DRIVER_CLOSED. They are kept in `errored` and reject the read or write that meets
 * them; with no `error` listener they do not end the process.
 */
export class PilotStream extends Duplex implements Stream {
  readonly localAddress: SocketAddress
  readonly remoteAddress: SocketAddress
  readonly #parts: PilotStreamParts
  /** Bytes that Node's own buffer does not ask for yet. Small ones are joined, so that they cost what they weigh. */
  readonly #incoming = new ByteCollector()
  #incomingBytes = 0
  #wanted = false
  #holding = false
  #stallTimer: NodeJS.Timeout | undefined
  /** `closing`: CLOSE is sent, CLOSE-OK is not here yet. `over`: the daemon's connection has ended. */
  #state: 'open' | 'closing' | 'over' = 'open'
  #closeTimer: NodeJS.Timeout | undefined
  #finished: WriteCallback | undefined

  constructor(parts: PilotStreamParts) {
    super({ allowHalfOpen: false, writableHighWaterMark: FIXED_LIMITS.ipcSend.value })
    this.#parts = parts
    this.localAddress = parts.localAddress
    this.remoteAddress = parts.remoteAddress
    // A daemon that goes away between two reads must not end the process.
    this.on('error', () => {})
    parts.ipc.attach(parts.connId, {
      data: bytes => this.#arrived(bytes),
      ended: () => this.#ended(),
      lost: error => {
        this.destroy(error)
      },
    })
  }

  /** As of any Readable. */
  override read(size?: number): Uint8Array | null {
    const chunk: Uint8Array | null = super.read(size)
    this.#settleFlow()
    return chunk
  }

  /** As of any Writable, but that writing after the end fails with STREAM_CLOSED, or with what the stream failed with. */
  override write(
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    if (!this.destroyed && !this.writableEnded) {
      return super.write(chunk, encoding as BufferEncoding, callback as (error?: Error | null) => void)
    }
    const done = typeof encoding === 'function' ? encoding : callback
    process.nextTick(() => done?.(this.errored ?? this.#closedError()))
    return false
  }

  override _read(): void {
    this.#wanted = true
    this.#flush()
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#send([chunk], callback)
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: WriteCallback): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      callback,
    )
  }

  override _final(callback: WriteCallback): void {
    if (this.#state === 'over') {
      callback()
      return
    }
    this.#state = 'closing'
    this.#finished = callback
    this.#parts.ipc.sendClose(this.#parts.connId)
    this.#closeTimer = setTimeout(() => {
      callback()
      this.destroy()
    }, FIXED_LIMITS.closeTimeout.value)
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#over()
    callback(error)
  }

  #arrived(bytes: Uint8Array): void {
    if (this.#wanted) {
      this.#wanted = false
      this.push(bytes)
    } else {
      this.#incoming.append(bytes)
      this.#incomingBytes += bytes.length
    }
    this.#settleFlow()
  }

  #flush(): void {
    if (!this.#wanted || this.#incomingBytes === 0) return
    this.#wanted = false
    this.#incomingBytes = 0
    this.push(this.#incoming.take())
  }

  #ended(): void {
    this.#over()
    this.#wanted = true
    this.#flush()
    this.push(null)
    // Where nothing is left to read, 'end' comes without a reader, and the stream closes.
    this.read(0)
    this.#finished?.()
  }

  /** Ends this side of the daemon's connection; what was read of it stays. */
  #over(): void {
    const { ipc, connId, onOver } = this.#parts
    if (this.#state === 'over') return
    // Also after a CLOSE-OK that nobody asked for: the daemon keeps the connection until its client closes it.
    if (this.#state === 'open') ipc.sendClose(connId)
    this.#state = 'over'
    clearTimeout(this.#closeTimer)
    clearTimeout(this.#stallTimer)
    ipc.forget(connId)
    onOver()
  }

  #send(chunks: readonly Uint8Array[], callback: WriteCallback): void {
    const { ipc, connId } = this.#parts
    const batches = sendBatches(chunks)
    // One at a time: other streams of the socket get their turn in between.
    const next: WriteCallback = error => {
      if (error) {
        callback(error)
        return
      }
      const { done, value } = batches.next()
      if (done) callback()
      else if (this.#state === 'over') this.#refuse(callback)
      else ipc.send(connId, value, next)
    }
    next()
  }

  /**
   * Fails a write after the peer has closed. That destroys the stream and what it holds, so the reader is
   * first given time to take what the peer sent before: it may be the answer that says why.
   */
  #refuse(callback: WriteCallback): void {
    if (this.readableLength === 0 || this.destroyed) {
      callback(this.#closedError())
      return
    }
    const settle = () => {
      clearTimeout(timer)
      this.off('end', settle).off('close', settle)
      callback(this.#closedError())
    }
    const timer = setTimeout(settle, FIXED_LIMITS.closeTimeout.value)
    this.on('end', settle).on('close', settle)
  }

  /** Stops and starts the reading of the socket by how much waits here. */
  #settleFlow(): void {
    const waiting = this.readableLength + this.#incomingBytes
    if (this.#holding && waiting <= STREAM_BUFFER / 2) this.#letGo()
    else if (!this.#holding && waiting >= STREAM_BUFFER && this.#state !== 'over') this.#hold()
  }

  #hold(): void {
    const { ipc, connId, shared } = this.#parts
    this.#holding = true
    ipc.hold(connId)
    if (shared) this.#stallTimer = setTimeout(() => this.#stalled(), STREAM_STALL_MS)
  }

  #letGo(): void {
    this.#holding = false
    clearTimeout(this.#stallTimer)
    this.#parts.ipc.release(this.#parts.connId)
  }

  #stalled(): void {
    if (this.readableLength + this.#incomingBytes < STREAM_BUFFER) {
      this.#letGo()
      return
    }
    this.destroy(
      new DriverError(
        'STREAM_STALLED',
        `the stream from ${formatSocketAddress(this.remoteAddress)} was reset: nothing of its full buffer was read for ${STREAM_STALL_MS} ms`,
      ),
    )
  }

  #closedError(): DriverError {
    return new DriverError(
      'STREAM_CLOSED',
      `the stream with ${formatSocketAddress(this.remoteAddress)} is closed`,
    )
  }
}

/** `chunks` in order, cut and joined so that each batch has at most `FIXED_LIMITS.ipcSend` bytes. Nothing is copied. */
function* sendBatches(chunks: readonly Uint8Array[]): Generator<Uint8Array[], undefined> {
  let batch: Uint8Array[] = []
  let room = FIXED_LIMITS.ipcSend.value
  for (const chunk of chunks) {
    let rest = chunk
    while (rest.length > 0) {
      const piece = rest.subarray(0, room)
      batch.push(piece)
      room -= piece.length
      rest = rest.subarray(piece.length)
      if (room === 0) {
        yield batch
        batch = []
        room = FIXED_LIMITS.ipcSend.value
      }
    }
  }
  if (batch.length > 0) yield batch
}
