import { DriverError } from '../errors.ts'
import type { Stream } from '../pilot/transport.ts'
import { writeFrame, writeFrameFrom } from '../wire/frame-io.ts'
import { encodeTaggedHeader, type MessageIds } from '../wire/tagged.ts'
import { type Message, type Outgoing, prepare } from './outgoing.ts'

/** Options of {@link FrameWriter.write}. */
export interface WriteOptions {
  /** With an id the frame is written as TAGGED. */
  ids: MessageIds
  /** Cuts the connection when it fires in the middle of a frame. */
  signal?: AbortSignal | undefined
  /** Called after each piece of a file: bytes written, bytes in all. */
  onProgress?: ((written: number, total: number) => void) | undefined
  /** Called after the checks and before the first byte. */
  onStart(): void
}

/** Writes the frames of one connection, one at a time. */
export class FrameWriter {
  readonly #stream: Stream
  readonly #maxFrameSize: number
  #last: Promise<unknown> = Promise.resolve()

  constructor(stream: Stream, maxFrameSize: number) {
    this.#stream = stream
    this.#maxFrameSize = maxFrameSize
  }

  /** Resolves when the frames of all calls so far are written, or have failed. */
  get idle(): Promise<unknown> {
    return this.#last
  }

  /** Runs `write` after those of earlier calls: answers come in the order of the frames. */
  inTurn<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#last.then(write)
    this.#last = written.catch(() => {})
    return written
  }

  /**
   * Prepares a message. A stream that has to be read first may never end: the end of the connection ends that, too.
   *
   * @throws {DriverError} STREAM_CLOSED; those of {@link prepare}
   */
  async prepare(message: Message, again: boolean, signal?: AbortSignal): Promise<Outgoing> {
    const options = { maxFrameSize: this.#maxFrameSize, again }
    if (!('file' in message)) return prepare(message, options)
    const over = new AbortController()
    const giveUp = () => over.abort()
    this.#stream.once('close', giveUp)
    signal?.addEventListener('abort', giveUp, { once: true })
    if (this.#stream.closed || signal?.aborted) giveUp()
    try {
      return await prepare(message, { ...options, signal: over.signal })
    } catch (error) {
      if (!over.signal.aborted) throw error
      throw new DriverError('STREAM_CLOSED', 'the stream was closed before the frame was written')
    } finally {
      this.#stream.off('close', giveUp)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /**
   * Writes one frame. Resolves when it is written.
   *
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, MESSAGE_ID_INVALID, before a byte is written
   */
  async write({ head, payload }: Outgoing, options: WriteOptions): Promise<void> {
    const { ids, signal, onProgress, onStart } = options
    const frameOptions = { maxFrameSize: this.#maxFrameSize, ids }
    encodeTaggedHeader(head, ids, frameOptions)
    onStart()
    if (payload instanceof Uint8Array) {
      await writeFrame(this.#stream, { ...head, payload }, frameOptions)
      return
    }
    // An incomplete frame cannot be repaired: cut the connection, and the receiver discards the frame.
    const cut = () => this.#stream.destroy()
    signal?.addEventListener('abort', cut, { once: true })
    try {
      const pieces = withProgress(payload, head.length, onProgress)
      await writeFrameFrom(this.#stream, head, pieces, frameOptions)
    } catch (error) {
      cut()
      throw error
    } finally {
      signal?.removeEventListener('abort', cut)
    }
  }
}

async function* withProgress(
  pieces: AsyncIterable<Uint8Array>,
  total: number,
  onProgress: WriteOptions['onProgress'],
): AsyncGenerator<Uint8Array, void, undefined> {
  let written = 0
  for await (const piece of pieces) {
    yield piece
    written += piece.length
    onProgress?.(written, total)
  }
}
