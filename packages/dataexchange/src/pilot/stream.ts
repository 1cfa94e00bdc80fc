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

/** Parameters of a {@link PilotStream}. */
export interface PilotStreamParts {
  /** The socket that carries the stream. */
  ipc: IpcConnection
  /** The daemon's id of the connection. */
  connId: number
  localAddress: SocketAddress
  remoteAddress: SocketAddress
  /** True if the socket carries other streams, too: then a stalled stream is reset. */
  shared: boolean
  /** Called once, when the daemon's connection ends. Unread bytes are then in memory. */
  onOver: () => void
}

/**
 * A stream between two agents over the daemon's socket.
 *
 * Closing: there is no half-close. `end()` flushes, sends CLOSE and waits up to 5 s (`FIXED_LIMITS.closeTimeout`) for
 * CLOSE-OK, then destroys the stream; bytes that the peer sends meanwhile can be read. If the peer closes
 * `[ipc.close-pushed]`, reading ends after the bytes that have arrived, and writing fails.
 *
 * Writing: a write's callback means that the socket has taken the bytes. The daemon reports nothing further
 * `[ipc.send]`; only an answer of the peer shows that it has them.
 *
 * Backpressure: the stream buffers up to 1 MiB (`STREAM_BUFFER`), then pauses the socket until half of that is
 * read. A listener's socket is shared by its streams, so a stream whose buffer stays full for 5 s
 * (`STREAM_STALL_MS`) is reset with STREAM_STALLED and the others continue. A dialled stream has its own socket and
 * is never reset here: the daemon drops a client that does not read for 10 s `[ipc.slow-client]`, and then this
 * stream alone fails with DAEMON_GONE.
 *
 * Errors: DAEMON_GONE if the daemon closes the socket; STREAM_CLOSED for a write after either side closed;
 * STREAM_STALLED; DRIVER_CLOSED. They reject the pending read or write and stay in `errored`; without an `error`
 * listener they do not end the process.
 */
export class PilotStream extends Duplex implements Stream {
  readonly localAddress: SocketAddress
  readonly remoteAddress: SocketAddress
  readonly #parts: PilotStreamParts
  /** Bytes beyond Node's own buffer. Small chunks are joined, so that their overhead is bounded. */
  readonly #incoming = new ByteCollector()
  #incomingBytes = 0
  #wanted = false
  #holding = false
  #stallTimer: NodeJS.Timeout | undefined
  /** `closing`: CLOSE is sent, CLOSE-OK is pending. `over`: the daemon's connection has ended. */
  #state: 'open' | 'closing' | 'over' = 'open'
  #closeTimer: NodeJS.Timeout | undefined
  #finished: WriteCallback | undefined

  constructor(parts: PilotStreamParts) {
    super({ allowHalfOpen: false, writableHighWaterMark: FIXED_LIMITS.ipcSend.value })
    this.#parts = parts
    this.localAddress = parts.localAddress
    this.remoteAddress = parts.remoteAddress
    // An 'error' event without a listener would end the process.
    this.on('error', () => {})
    parts.ipc.attach(parts.connId, {
      data: bytes => this.#arrived(bytes),
      ended: () => this.#ended(),
      lost: error => {
        this.destroy(error)
      },
    })
  }

  /** As in any Readable. */
  override read(size?: number): Uint8Array | null {
    const chunk: Uint8Array | null = super.read(size)
    this.#updateFlow()
    return chunk
  }

  /** As in any Writable, but a write after the end fails with STREAM_CLOSED, or with the stream's own error. */
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
    this.#updateFlow()
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
    // With an empty buffer, this emits 'end' even without a reader, and the stream closes.
    this.read(0)
    this.#finished?.()
  }

  /** Ends the daemon's connection on this side. Buffered bytes stay. */
  #over(): void {
    const { ipc, connId, onOver } = this.#parts
    if (this.#state === 'over') return
    // Sent also after a pushed CLOSE-OK: the daemon keeps the connection until its client closes it.
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
    // One batch at a time, so that other streams of the socket write in between.
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
   * Fails a write after the peer closed. The failure destroys the stream and its buffer, so the reader first gets up
   * to 5 s (`FIXED_LIMITS.closeTimeout`) to read it: it may hold the answer that says why the peer closed.
   */
  #refuse(callback: WriteCallback): void {
    if (this.readableLength === 0 || this.destroyed) {
      callback(this.#closedError())
      return
    }
    const fail = () => {
      clearTimeout(timer)
      this.off('end', fail).off('close', fail)
      callback(this.#closedError())
    }
    const timer = setTimeout(fail, FIXED_LIMITS.closeTimeout.value)
    this.on('end', fail).on('close', fail)
  }

  /** Pauses and resumes the socket by the number of buffered bytes. */
  #updateFlow(): void {
    const buffered = this.readableLength + this.#incomingBytes
    if (this.#holding && buffered <= STREAM_BUFFER / 2) this.#release()
    else if (!this.#holding && buffered >= STREAM_BUFFER && this.#state !== 'over') this.#hold()
  }

  #hold(): void {
    const { ipc, connId, shared } = this.#parts
    this.#holding = true
    ipc.hold(connId)
    if (shared) this.#stallTimer = setTimeout(() => this.#stalled(), STREAM_STALL_MS)
  }

  #release(): void {
    this.#holding = false
    clearTimeout(this.#stallTimer)
    this.#parts.ipc.release(this.#parts.connId)
  }

  #stalled(): void {
    if (this.readableLength + this.#incomingBytes < STREAM_BUFFER) {
      this.#release()
      return
    }
    this.destroy(
      new DriverError(
        'STREAM_STALLED',
        `the stream from ${formatSocketAddress(this.remoteAddress)} was reset: its buffer stayed full for ${STREAM_STALL_MS} ms`,
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

/** `chunks` in order, cut and joined into batches of at most `FIXED_LIMITS.ipcSend` bytes `[ipc.send-split]`, without copies. */
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
