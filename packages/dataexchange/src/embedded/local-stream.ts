import type { Socket } from 'node:net'
import { KiB } from '../bytes.ts'
import { FIXED_LIMITS } from '../limits.ts'

/**
 * Bytes of one stream that the embedded daemon holds; at this size it does not read the socket of the client.
 * @limit bytes
 */
const LOCAL_STREAM_BUFFER = 256 * KiB

/** Callbacks of a {@link LocalStream} to its client session. */
export interface StreamOwner {
  /** {@link LocalStream.take} may return bytes. */
  onReadable(stream: LocalStream): void
  /** The other node ended the stream, and all its bytes have been taken. */
  onEnded(stream: LocalStream): void
  /** The write buffer is not full any more. */
  onRelieved(stream: LocalStream): void
}

/**
 * This node's end of a stream on a connection to another node. Makes no callback before {@link start} or after
 * {@link close}.
 */
export class LocalStream {
  readonly id: number
  readonly #socket: Socket
  readonly #owner: StreamOwner
  #state: 'new' | 'open' | 'closed' = 'new'
  #peerEnded = false

  constructor(id: number, socket: Socket, owner: StreamOwner) {
    this.id = id
    this.#socket = socket
    this.#owner = owner
    socket.on('readable', () => this.#onReadable())
    socket.on('end', () => this.#onPeerEnded())
    socket.on('close', () => {
      this.#onPeerEnded()
      owner.onRelieved(this)
    })
    socket.on('drain', () => owner.onRelieved(this))
  }

  /** Starts the callbacks. */
  start(): void {
    if (this.#state !== 'new') return
    this.#state = 'open'
    if (this.#peerEnded) this.#finish()
    else this.#owner.onReadable(this)
  }

  /** Returns the next bytes from the other node, at most 64 KiB, or null if there are none. */
  take(): Uint8Array | null {
    // An empty read() is needed, too: it makes the socket emit 'end'.
    return this.#socket.read(Math.min(this.#socket.readableLength, FIXED_LIMITS.ipcSend.value) || undefined)
  }

  /** True while the write buffer is over `FIXED_LIMITS.daemonStreamBuffer`. */
  get isFull(): boolean {
    return !this.#socket.destroyed && this.#socket.writableLength > LOCAL_STREAM_BUFFER
  }

  /** Sends `data` to the other node. Accepts it also when full; the caller then pauses. */
  write(data: Uint8Array): void {
    if (data.length > 0 && this.#socket.writable) this.#socket.write(data)
  }

  /** Flushes and ends the stream. Discards further bytes from the other node. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#socket.end()
    this.#discard()
  }

  #onReadable(): void {
    if (this.#state === 'open') this.#owner.onReadable(this)
    else if (this.#state === 'closed') this.#discard()
  }

  #onPeerEnded(): void {
    this.#peerEnded = true
    if (this.#state === 'open') this.#finish()
  }

  #finish(): void {
    this.#state = 'closed'
    // The other node reads no more, so unsent bytes have no reader.
    this.#socket.destroy()
    this.#owner.onEnded(this)
  }

  #discard(): void {
    while (this.#socket.read() !== null);
  }
}
