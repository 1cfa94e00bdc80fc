import type { Socket } from 'node:net'
import { systemCode } from '../errors.ts'

/**
 * Lets `socket` be read to its end although the other side is gone for writing. Node destroys a socket at the
 * first failed write or reset, and throws away what it had received until then: the last words of a client
 * that sent, closed and left would be lost. Here a write that nobody can read any more is dropped, and a reset
 * is the end of the stream, after all that was received before it.
 */
export function makeSturdy(socket: Socket): Socket {
  const write = socket._write
  const writev = socket._writev
  const destroy = socket.destroy
  socket._write = (chunk, encoding, done) => write.call(socket, chunk, encoding, forgiving(done))
  if (writev !== undefined) socket._writev = (chunks, done) => writev.call(socket, chunks, forgiving(done))

  let reset = false
  socket.destroy = error => {
    if (!isGone(error)) return destroy.call(socket, error)
    if (reset || socket.readableEnded) return destroy.call(socket)
    reset = true
    socket.push(null)
    return socket
  }
  return socket
}

type Done = (error?: Error | null) => void

function forgiving(done: Done): Done {
  return error => done(isGone(error) ? null : error)
}

function isGone(error: unknown): boolean {
  return GONE.has(systemCode(error) ?? '')
}

const GONE = new Set(['EPIPE', 'ECONNRESET'])
