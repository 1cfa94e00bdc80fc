import { Socket } from 'node:net'
import { systemCode } from '../system-errors.ts'

/**
 * Lets `socket` be read to its end although the other side is gone for writing. Node destroys a socket at the
 * first failed write or reset, and throws away what it had received until then: the last words of a client
 * that sent, closed and left would be lost. Here a write that nobody can read any more is dropped, and a reset
 * is the end of the stream, after all that was received before it.
 */
export function makeSturdy(socket: Socket): Socket {
  return Object.assign(socket, STURDY)
}

type Done = (error?: Error | null) => void

/** One set for all sockets: closures would be some of what each of many idle streams takes. */
const STURDY = {
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

/** Sockets whose reset has been made the end of the stream. */
const RESET = new WeakSet<Socket>()

function forgiving(done: Done): Done {
  return error => done(isGone(error) ? null : error)
}

function isGone(error: unknown): boolean {
  return GONE.has(systemCode(error) ?? '')
}

const GONE = new Set(['EPIPE', 'ECONNRESET'])
