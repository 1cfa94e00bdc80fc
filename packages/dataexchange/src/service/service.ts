import { MAX_FRAME_SIZE } from '../frame-limits.ts'
import { configuredLimit, FIXED_LIMITS, LIMITS } from '../limits.ts'
import type { Logger } from '../logger.ts'
import type { MailboxConfig } from '../mailbox/config.ts'
import { Mailbox } from '../mailbox/mailbox.ts'
import { defaultMaxFrameSize } from '../max-frame-size.ts'
import { DATA_EXCHANGE_PORT, type Stream } from '../pilot/transport.ts'
import type { PluginService, ServiceDeps } from '../plugin/service.ts'
import { acceptForever } from './accept-loop.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { publishUnpacked } from './events.ts'
import { Admission, type AdmissionRules } from './peers/admission.ts'
import { Peers, type PeersOptions } from './peers/peers.ts'
import type { Rates } from './peers/rate-limiter.ts'
import { RefusalLog } from './peers/refusal-log.ts'
import { type AnswerHook, RequestAnswerer } from './requests/request-answerer.ts'

/** Configuration of {@link Service}. For limits, zero and undefined mean the default, and a negative value means off. */
export interface ServiceConfig extends MailboxConfig, AdmissionRules {
  /** Time in ms without a byte of payload, after which a connection is closed. @default 120000 */
  idleTimeoutMs?: number | undefined
  /** Time in ms for one frame to arrive, plus one second for every 4 KiB received. @default 60000 */
  frameTimeoutMs?: number | undefined
  /** Largest number of open connections. @default 1000 */
  maxConnections?: number | undefined
  /** Largest number of open connections of one peer. @default 64 */
  maxConnectionsPerPeer?: number | undefined
  /** Rate limits of each peer. Frames beyond them are refused. @default no limit */
  rates?: Rates | undefined
  /**
   * Answers requests (AUTOANSWER) on their connection instead of storing them `[autoanswer.ack-reply]`. At most 16 run at once, 4
   * of one peer. A request has at most 256 KiB.
   *
   * @default requests are stored like TEXT
   */
  answer?: AnswerHook | undefined
  /** Time in ms for one reply, at most 40,000. @default 30000 */
  replyTimeoutMs?: number | undefined
  /** Largest accepted payload of a frame, in bytes. @default PILOT_DATAEXCHANGE_MAX_FRAME, else 256 MiB */
  maxFrameSize?: number | undefined
}

/**
 * The data exchange service. Listens on port 1001, stores the frames of peers, and answers every frame. An ACK is written
 * when the frame is durable and visible under its final name `[ack.durable]`. The original's `NewService`.
 */
export class Service implements PluginService {
  readonly name: string = 'dataexchange'
  readonly order: number = 110
  readonly #config: ServiceConfig
  readonly #admission: Admission
  readonly #connections = new Set<Connection>()
  #running: Running | undefined

  /** @throws {PluginError} CONFIG_INVALID if an entry of `allow` or `deny` is neither an address nor a network */
  constructor(config: ServiceConfig = {}) {
    this.#config = { ...config }
    this.#admission = new Admission(config)
  }

  /** Number of refusals since the start, by reason. */
  get refusals(): Record<string, number> {
    return this.#running?.refusals.counts ?? {}
  }

  /** The folders of the running service; undefined while it is stopped. */
  get folders(): { inbox: string; received: string } | undefined {
    const mailbox = this.#running?.mailbox
    return mailbox && { inbox: mailbox.inboxDir, received: mailbox.receivedDir }
  }

  /**
   * Opens the mailbox and binds the port. Resolves when the service accepts connections. If the daemon closes the socket
   * later, the service binds again by itself, with backoff, and logs it.
   *
   * @throws {PluginError} CONFIG_INVALID if a limit is not a number
   * @throws {MailboxError} STORE_FAILED if a folder cannot be used
   * @throws {DriverError} PORT_IN_USE, DAEMON_UNAVAILABLE, ABORTED
   */
  async start(deps: ServiceDeps, signal?: AbortSignal): Promise<void> {
    const { streams, logger, trust } = deps
    const peers = new Peers(this.#peersOptions())
    const times = this.#times()
    const mailbox = await Mailbox.open(this.#config, logger, {
      onUnpacked: outcome => publishUnpacked(deps.events, outcome),
    })
    const listener = await streams.listen(DATA_EXCHANGE_PORT, { signal }).catch(async error => {
      await mailbox.close()
      throw error
    })
    const refusals = new RefusalLog(logger)
    const answerer = this.#answerer()
    const options = {
      ...deps,
      ...times,
      mailbox,
      refusals,
      admission: this.#admission,
      trust,
      answerer,
    }
    const closing = new AbortController()
    const accepting = acceptForever(listener, {
      streams,
      port: DATA_EXCHANGE_PORT,
      logger,
      signal: closing.signal,
      onStream: stream => this.#serve(stream, peers, options),
    })
    this.#running = { mailbox, closing, accepting, refusals, logger }
  }

  /**
   * Stops accepting, stores and answers the complete frames, then closes. Takes at most 5 s: connections that are not
   * done after 4 s, or when `signal` is aborted, are cut, and have one second to end. A frame that a hook has not
   * decided by then is not stored. Writes to the disk are always awaited.
   */
  async stop(signal?: AbortSignal): Promise<void> {
    const running = this.#running
    if (running === undefined) return
    this.#running = undefined
    running.closing.abort()
    if (!(await this.#drain(signal)))
      running.logger.warn({ connections: this.#connections.size }, 'stopped with frames in flight')
    await running.accepting
    await running.mailbox.close()
  }

  /** The same as {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Resolves with false if a connection has not ended one second after it was cut: then a hook never settles. */
  async #drain(signal?: AbortSignal): Promise<boolean> {
    const connections = [...this.#connections]
    const drained = Promise.all(connections.map(connection => connection.drain())).then(() => true)
    const ended = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const isOver = new Promise<boolean>(resolve => {
      const cut = () => {
        clearTimeout(timer)
        for (const connection of connections) connection.destroy()
        timer = setTimeout(resolve, FIXED_LIMITS.stopTimeout.value * AFTER_CUT, false)
      }
      timer = setTimeout(cut, FIXED_LIMITS.stopTimeout.value * (1 - AFTER_CUT))
      signal?.addEventListener('abort', cut, { once: true, signal: ended.signal })
      if (signal?.aborted) cut()
    })
    const isDrained = await Promise.race([drained, isOver])
    clearTimeout(timer)
    ended.abort()
    return isDrained
  }

  #serve(stream: Stream, peers: Peers, options: ConnectionOptions): void {
    const from = stream.remoteAddress.address.toString()
    const peer = peers.join(from)
    if (typeof peer === 'string') {
      options.refusals.note(`connections were refused: ${peer}`, { from })
      stream.on('error', () => {}).destroy()
      return
    }
    const connection = new Connection(stream, peer, options)
    this.#connections.add(connection)
    void connection.run().finally(() => {
      this.#connections.delete(connection)
      peers.leave(from)
    })
  }

  #times(): Pick<ConnectionOptions, 'maxFrameSize' | 'idleTimeoutMs' | 'frameTimeoutMs'> {
    const { maxFrameSize, idleTimeoutMs, frameTimeoutMs } = this.#config
    return {
      maxFrameSize: configuredLimit(maxFrameSize, { ...LIMITS.maxFrameSize, value: defaultMaxFrameSize() }),
      idleTimeoutMs: configuredLimit(idleTimeoutMs, LIMITS.idleTimeout),
      frameTimeoutMs: configuredLimit(frameTimeoutMs, LIMITS.frameTimeout),
    }
  }

  #answerer(): RequestAnswerer | undefined {
    const { answer, replyTimeoutMs } = this.#config
    if (answer === undefined) return undefined
    return new RequestAnswerer({
      answer,
      replyTimeoutMs: Math.min(
        configuredLimit(replyTimeoutMs, LIMITS.replyTimeout),
        LIMITS.exchangeTimeout.value,
      ),
      maxReply: Math.min(this.#times().maxFrameSize, MAX_FRAME_SIZE),
    })
  }

  #peersOptions(): PeersOptions {
    const { maxConnections, maxConnectionsPerPeer, rates = {} } = this.#config
    return {
      maxConnections: configuredLimit(maxConnections, LIMITS.maxConnections),
      maxConnectionsPerPeer: configuredLimit(maxConnectionsPerPeer, LIMITS.maxConnectionsPerPeer),
      rates: {
        framesPerSecond: configuredLimit(rates.framesPerSecond, LIMITS.framesPerSecond),
        bytesPerSecond: configuredLimit(rates.bytesPerSecond, LIMITS.bytesPerSecond),
      },
    }
  }
}

/** Fraction of the stop time that connections have after they are cut. */
const AFTER_CUT = 0.2

interface Running {
  mailbox: Mailbox
  closing: AbortController
  accepting: Promise<void>
  refusals: RefusalLog
  logger: Logger
}
