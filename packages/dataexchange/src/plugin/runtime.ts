import { defaultLogger, type Logger } from '../logger.ts'
import type { Identity, Resolver, Streams } from '../pilot/transport.ts'
import { EventBus } from './events.ts'
import { ServiceRegistry } from './registry.ts'
import type { PluginService, TrustChecker } from './service.ts'

/** The driver that a runtime needs. `Driver` implements it. */
export interface RuntimeDriver extends Streams, Resolver {
  info(): Promise<Identity>
}

/** Options of {@link Runtime}. */
export interface RuntimeOptions {
  /** The transport of the services. */
  driver: RuntimeDriver
  /** @default errors of listeners and hooks go to `console.warn`, nothing else is logged */
  logger?: Logger | undefined
  /** Tells services which nodes are trusted. @default none: `deps.trust` is undefined */
  trust?: TrustChecker | undefined
}

/** Hosts services on a driver, as the original's daemon hosts plugins. */
export class Runtime {
  /** The events that the services publish. */
  readonly events: EventBus
  readonly #options: RuntimeOptions
  readonly #logger: Logger
  readonly #registry = new ServiceRegistry()

  constructor(options: RuntimeOptions) {
    this.#options = options
    this.#logger = options.logger ?? defaultLogger
    this.events = new EventBus(this.#logger)
  }

  /**
   * Adds a service, before {@link start}.
   *
   * @throws {PluginError} REGISTRY_STARTED, SERVICE_DUPLICATE
   */
  register(service: PluginService): void {
    this.#registry.register(service)
  }

  /**
   * Asks the daemon for this node's identity, then starts the services by ascending order. Resolves when all are ready.
   *
   * @throws {PluginError} SERVICE_START_FAILED, REGISTRY_STARTED
   * @throws {DriverError} if the daemon does not answer, as `Driver.info` does
   */
  async start(signal?: AbortSignal): Promise<void> {
    const { driver, trust } = this.#options
    const { nodeId, address } = await driver.info()
    const deps = {
      streams: driver,
      identity: { nodeId, address },
      resolver: driver,
      events: this.events,
      logger: this.#logger,
      ...(trust && { trust }),
    }
    await this.#registry.start(deps, signal)
  }

  /**
   * Stops the services in reverse order, with 5 s for each (`FIXED_LIMITS.stopTimeout`).
   *
   * @throws {PluginError} SERVICE_STOP_FAILED after the last one
   */
  async stop(): Promise<void> {
    await this.#registry.stop()
  }

  /** The same as {@link stop}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
