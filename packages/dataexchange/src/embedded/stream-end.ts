import type { Socket } from 'node:net'
import { KiB } from '../bytes.ts'
import { FIXED_LIMITS } from '../limits.ts'

/**
 * Bytes of one stream that the embedded daemon holds; at this size it does not read the socket of the client.
 * @limit bytes
 */
const LOCAL_STREAM_BUFFER = 256 * KiB

/** What a {@link StreamEnd} tells the client session that it belongs to. */
export interface StreamOwner {
  /** There may be something to {@link StreamEnd.take}. */
  onReadable(stream: StreamEnd): void
  /** The other node has ended the stream, and all that it sent has been taken. */
  onEnded(stream: StreamEnd): void
  /** The stream is not full any more. */
  onRelieved(stream: StreamEnd): void
}

/**
 * This node's end of a stream, on a connection to the other node. Says nothing to its owner before
 * {@link start}, nor after {@link close}.
 */
export class StreamEnd {
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

  /** Begins to tell the owner. */
  start(): void {
    if (this.#state !== 'new') return
    this.#state = 'open'
    if (this.#peerEnded) this.#finish()
    else this.#owner.onReadable(this)
  }

  /** The next bytes from the other node, at most 64 KiB, or null where none have come. */
  take(): Uint8Array | null {
    // Also with nothing there: it is this call that lets the stream come to its end.
    return this.#socket.read(Math.min(this.#socket.readableLength, FIXED_LIMITS.ipcSend.value) || undefined)
  }

  /** True while too much waits for the other node to take more. */
  get isFull(): boolean {
    return !this.#socket.destroyed && this.#socket.writableLength > LOCAL_STREAM_BUFFER
  }

  /** Sends `data` to the other node. Takes it also when full; the caller must then send no more. */
  write(data: Uint8Array): void {
    if (data.length > 0 && this.#socket.writable) this.#socket.write(data)
  }

  /** Ends the stream after what was written; what still comes from the other node is thrown away. */
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
    // The other node reads no more: what still waits for it has no reader.
    this.#socket.destroy()
    this.#owner.onEnded(this)
  }

  #discard(): void {
    while (this.#socket.read() !== null);
  }
}
