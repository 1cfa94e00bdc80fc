import { frameCap } from '../frame-limits.ts'
import { defaultLogger, type Logger } from '../logger.ts'
import { defaultMaxFrameSize } from '../max-frame-size.ts'
import { DATA_EXCHANGE_PORT, type Listener, type Stream, type Streams } from '../pilot/transport.ts'
import type { Frame } from '../wire/frame.ts'
import { readFrame } from '../wire/frame-io.ts'

/**
 * Handles one frame of a stream. It may answer with `writeFrame(stream, ...)`. The next frame of the stream is read when
 * the returned promise has settled. A throw ends that stream only.
 */
export type FrameHandler = (stream: Stream, frame: Frame) => void | Promise<void>

/** Options of {@link Server}. */
export interface ServerOptions {
  /** The port to bind. @default 1001 */
  port?: number | undefined
  /** Largest accepted payload of a frame, in bytes. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
  /** @default prints only errors of the handler, with console.warn */
  logger?: Logger | undefined
}

/**
 * Accepts streams and calls one handler with every whole frame, for programs that build their own service on frames. The
 * data exchange service itself is `Service`. The original's `NewServer`.
 */
export class Server {
  readonly #streams: Streams
  readonly #handler: FrameHandler
  readonly #port: number
  readonly #maxFrameSize: number
  readonly #logger: Logger
  readonly #open = new Set<Stream>()
  #listener: Listener | undefined
  #closed = false

  constructor(driver: Streams, handler: FrameHandler, options: ServerOptions = {}) {
    this.#streams = driver
    this.#handler = handler
    this.#port = options.port ?? DATA_EXCHANGE_PORT
    this.#maxFrameSize = frameCap(options.maxFrameSize, defaultMaxFrameSize())
    this.#logger = options.logger ?? defaultLogger
  }

  /**
   * Binds the port and serves. Resolves after {@link close}.
   *
   * @throws {DriverError} PORT_IN_USE, DAEMON_UNAVAILABLE; DAEMON_GONE if the daemon closes the socket
   */
  async listenAndServe(): Promise<void> {
    this.#listener = await this.#streams.listen(this.#port)
    if (this.#closed) await this.#listener.close()
    for await (const stream of this.#listener) void this.#serve(stream)
  }

  /** Stops accepting and closes every stream. Resolves when the port is free. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#listener?.close()
    for (const stream of this.#open) stream.destroy()
  }

  /** The same as {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #serve(stream: Stream): Promise<void> {
    this.#open.add(stream)
    const from = stream.remoteAddress.address.toString()
    // The loop below gets the errors of the stream. Without a listener, an error during the handler would end the process.
    stream.on('error', () => {})
    try {
      for (;;) {
        const frame = await readFrame(stream, { maxFrameSize: this.#maxFrameSize })
        if (frame === null) break
        await this.#handle(stream, frame)
      }
      stream.end()
    } catch (err) {
      this.#logger.warn({ err, from }, 'stream ended')
      stream.destroy()
    } finally {
      this.#open.delete(stream)
    }
  }

  /** Rejects with what the handler throws, once it is logged. */
  async #handle(stream: Stream, frame: Frame): Promise<void> {
    try {
      await this.#handler(stream, frame)
    } catch (err) {
      const from = stream.remoteAddress.address.toString()
      this.#logger.error({ err, from }, 'the frame handler failed')
      throw err
    }
  }
}
