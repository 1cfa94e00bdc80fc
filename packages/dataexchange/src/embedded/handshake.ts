import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { concat, decodeUtf8, utf8, viewOf } from '../bytes.ts'
import { DriverError } from '../errors.ts'
import { ADDRESS_SIZE, decodeAddress, encodeAddress, type SocketAddress } from '../pilot/address.ts'
import { encodePort } from '../pilot/ipc-messages.ts'
import { keepReadable } from '../socket/half-open-socket.ts'

/*
 * One connection between two nodes is one stream. The dialling node sends its own address and port and the dialled
 * port, `["PDX1"][6-byte address][u16 port][u16 port dialled]`. The other node answers
 * `[u8 0: accepted, 1: refused][u16 length][reason]`. The bytes of the stream follow, in both directions.
 */

/** The first message of a dialling node. */
export interface Hello {
  /** Address and port of the dialling node. */
  readonly from: SocketAddress
  /** The port dialled. */
  readonly port: number
}

/**
 * Connects to the node at the socket `path` and asks for a stream. Resolves with the connection when the node accepts.
 *
 * @throws {DriverError} DIAL_FAILED with the node's reason. The system's error if no node listens there. The reason
 * of `signal`.
 */
export async function requestStream(path: string, hello: Hello, signal: AbortSignal): Promise<Socket> {
  const socket = keepReadable(createConnection({ path, allowHalfOpen: true }))
  const onAbort = () => socket.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await once(socket, 'connect', { signal })
    // A later error ends the stream, which emits 'close'.
    socket.on('error', () => {})
    socket.write(encodeHello(hello))
    const answer = viewOf(await readExactly(socket, ANSWER_SIZE))
    const reason = decodeUtf8(await readExactly(socket, answer.getUint16(1)))
    if (answer.getUint8(0) !== ACCEPTED) throw new DriverError('DIAL_FAILED', reason ?? 'refused')
    return socket
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Reads the {@link Hello} of a dialling node.
 *
 * @throws {DriverError} DIAL_FAILED if it sends something else, or disconnects
 */
export async function readHello(socket: Socket): Promise<Hello> {
  const bytes = await readExactly(socket, HELLO_SIZE)
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw new DriverError('DIAL_FAILED', 'the client is not a node of this version')
  }
  const view = viewOf(bytes)
  const at = MAGIC.length
  return {
    from: { address: decodeAddress(bytes.subarray(at)), port: view.getUint16(at + ADDRESS_SIZE) },
    port: view.getUint16(at + ADDRESS_SIZE + 2),
  }
}

/** Accepts the requested stream. */
export function acceptStream(socket: Socket): void {
  socket.write(encodeAnswer(ACCEPTED, ''))
}

/** Refuses the requested stream and ends the connection. */
export function refuseStream(socket: Socket, reason: string): void {
  socket.write(encodeAnswer(REFUSED, reason))
  socket.destroySoon()
}

const MAGIC = utf8('PDX1')
const HELLO_SIZE = MAGIC.length + ADDRESS_SIZE + 4
const ANSWER_SIZE = 3
const ACCEPTED = 0
const REFUSED = 1

function encodeHello({ from, port }: Hello): Uint8Array {
  return concat([MAGIC, encodeAddress(from.address), encodePort(from.port), encodePort(port)])
}

function encodeAnswer(status: number, reason: string): Uint8Array {
  const text = utf8(reason)
  return concat([Uint8Array.of(status), encodePort(text.length), text])
}

function readExactly(socket: Socket, size: number): Promise<Uint8Array> {
  if (size === 0) return Promise.resolve(new Uint8Array(0))
  return new Promise((resolve, reject) => {
    const removeListeners = () => {
      socket.off('readable', onReadable).off('end', onGone).off('close', onGone)
    }
    const onReadable = () => {
      const bytes: Buffer | null = socket.read(size)
      // At the end of the stream, read() may return less.
      if (bytes?.length !== size) return
      removeListeners()
      resolve(bytes)
    }
    const onGone = () => {
      removeListeners()
      reject(new DriverError('DIAL_FAILED', 'the other node disconnected while the stream was opening'))
    }
    socket.on('readable', onReadable).on('end', onGone).on('close', onGone)
    onReadable()
  })
}
