import { configuredLimit, LIMITS } from '../limits.ts'
import { Mailbox, type MailboxConfig } from '../mailbox/mailbox.ts'
import { DATA_EXCHANGE_PORT } from '../pilot/transport.ts'
import type { PluginService, ServiceDeps } from '../plugin/service.ts'
import { acceptForever } from './accept-loop.ts'
import { Connection } from './connection.ts'
import { defaultMaxFrameSize } from './max-frame-size.ts'

/**
 * Configuration of {@link Service}. For limits, zero and undefined mean the default and a negative value
 * means off.
 */
export interface ServiceConfig extends MailboxConfig {
  /** Milliseconds without a frame after which a connection is closed. @default 120000 */
  idleTimeout?: number
  /** Bytes of the largest frame accepted. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number
}

/**
 * The data exchange service: listens on port 1001, stores what peers send, and answers every frame
 * (sections 1 to 3 and 9). An ACK is written once the frame is durable and visible under its final name.
 * The original's `NewService`.
 */
export class Service implements PluginService {
  readonly name: string = 'dataexchange'
  readonly order: number = 110
  readonly #config: ServiceConfig
  readonly #connections = new Set<Connection>()
  #running: { mailbox: Mailbox; closing: AbortController; accepting: Promise<void> } | undefined

  constructor(config: ServiceConfig = {}) {
    this.#config = { ...config }
  }

  /** The folders in use while the service runs, else undefined. */
  get folders(): { inbox: string; received: string } | undefined {
    const mailbox = this.#running?.mailbox
    return mailbox && { inbox: mailbox.inboxDir, received: mailbox.receivedDir }
  }

  /**
   * Opens the mailbox and binds the port. When the daemon goes away later, the service binds again by
   * itself, with backoff, and says so in the log.
   *
   * @throws {MailboxError} STORE_FAILED where a folder cannot be used
   * @throws {DriverError} PORT_IN_USE, DAEMON_UNAVAILABLE, ABORTED
   */
  async start(deps: ServiceDeps, signal?: AbortSignal): Promise<void> {
    const { streams, events, logger } = deps
    const mailbox = await Mailbox.open(this.#config, logger)
    const listener = await streams.listen(DATA_EXCHANGE_PORT, { signal }).catch(async error => {
      await mailbox.close()
      throw error
    })
    const options = {
      mailbox,
      events,
      logger,
      maxFrameSize: configuredLimit(this.#config.maxFrameSize, {
        ...LIMITS.maxFrameSize,
        value: defaultMaxFrameSize(),
      }),
      idleTimeout: configuredLimit(this.#config.idleTimeout, LIMITS.idleTimeout),
    }
    const closing = new AbortController()
    const accepting = acceptForever(listener, {
      streams,
      port: DATA_EXCHANGE_PORT,
      logger,
      signal: closing.signal,
      onStream: stream => this.#serve(new Connection(stream, options)),
    })
    this.#running = { mailbox, closing, accepting }
  }

  /**
   * Accepts no more, lets the frames that have arrived whole be stored and answered, then closes. Bounded
   * at 5 s: connections that are not done by then, or when `signal` fires, are cut.
   */
  async stop(signal?: AbortSignal): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.closing.abort()
    const cut = () => {
      for (const connection of this.#connections) connection.destroy()
    }
    signal?.addEventListener('abort', cut, { once: true })
    const timer = setTimeout(cut, LIMITS.stopTimeout.value * 0.8)
    await Promise.all([...this.#connections].map(connection => connection.drain()))
    clearTimeout(timer)
    signal?.removeEventListener('abort', cut)
    await running.accepting
    await running.mailbox.close()
  }

  #serve(connection: Connection): void {
    this.#connections.add(connection)
    void connection.run().finally(() => this.#connections.delete(connection))
  }
}
