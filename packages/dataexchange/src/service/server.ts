import { frameCap } from '../frame-limits.ts'
import { defaultLogger, type Logger } from '../logger.ts'
import { defaultMaxFrameSize } from '../max-frame-size.ts'
import { DATA_EXCHANGE_PORT, type Listener, type Stream, type Streams } from '../pilot/transport.ts'
import type { Frame } from '../wire/frame.ts'
import { readFrame } from '../wire/frame-io.ts'

/**
 * Gets one frame of a stream; it may write answers with `writeFrame(stream, ...)`. The next frame of that
 * stream is read when the promise it returned has settled. A throw ends that stream only.
 */
export type FrameHandler = (stream: Stream, frame: Frame) => void | Promise<void>

/** Options of {@link Server}. */
export interface ServerOptions {
  /** @default 1001 */
  port?: number | undefined
  /** Bytes of the largest frame accepted. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
  /** @default says nothing */
  logger?: Logger | undefined
}

/**
 * Accepts streams and hands every frame to one handler, whole: for those who build their own service on
 * the frames. The data exchange service itself is `Service`. The original's `NewServer`.
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
   * Binds the port and serves until {@link close} is called; resolves then.
   *
   * @throws {DriverError} PORT_IN_USE, DAEMON_UNAVAILABLE; DAEMON_GONE when the daemon goes away
   */
  async listenAndServe(): Promise<void> {
    this.#listener = await this.#streams.listen(this.#port)
    if (this.#closed) await this.#listener.close()
    for await (const stream of this.#listener) void this.#serve(stream)
  }

  /** Accepts no more and ends every stream. */
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
    // Errors reach the loop below; one that comes while the handler runs must not end the process.
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
