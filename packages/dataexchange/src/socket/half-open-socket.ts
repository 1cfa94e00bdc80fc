import { Socket } from 'node:net'
import { systemCode } from '../system-errors.ts'

/**
 * Keeps `socket` readable to its end after the other side has closed. Node destroys a socket at the first failed write
 * or reset and discards the bytes received until then: the last bytes of a client that sent, closed and exited would
 * be lost. Here a write that the other side can no longer read is dropped, and a reset ends the stream after all
 * received bytes.
 */
export function keepReadable(socket: Socket): Socket {
  return Object.assign(socket, OVERRIDES)
}

type Done = (error?: Error | null) => void

/** Shared by all sockets: closures for each socket would add memory to every idle stream. */
const OVERRIDES = {
  _write(this: Socket, chunk: unknown, encoding: BufferEncoding, done: Done): void {
    Socket.prototype._write.call(this, chunk, encoding, forgiving(done))
  },
  _writev(this: Socket, chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
    Socket.prototype._writev?.call(this, chunks, forgiving(done))
  },
  destroy(this: Socket, error?: Error): Socket {
    if (!isGone(error)) return Socket.prototype.destroy.call(this, error)
    if (RESET.has(this) || this.readableEnded) return Socket.prototype.destroy.call(this)
    RESET.add(this)
    this.push(null)
    return this
  },
}

/** Sockets whose reset was turned into the end of the stream. */
const RESET = new WeakSet<Socket>()

function forgiving(done: Done): Done {
  return error => done(isGone(error) ? null : error)
}

function isGone(error: unknown): boolean {
  return GONE.has(systemCode(error) ?? '')
}

const GONE = new Set(['EPIPE', 'ECONNRESET'])
