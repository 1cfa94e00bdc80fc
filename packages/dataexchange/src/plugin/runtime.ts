import { type Logger, silentLogger } from '../logger.ts'
import type { Identity, Resolver, Streams } from '../pilot/transport.ts'
import { EventBus } from './events.ts'
import { ServiceRegistry } from './registry.ts'
import type { PluginService, TrustChecker } from './service.ts'

/** What a runtime needs of a driver: `Driver` has it. */
export interface RuntimeDriver extends Streams, Resolver {
  info(): Promise<Identity>
}

/** Options of {@link Runtime}. */
export interface RuntimeOptions {
  driver: RuntimeDriver
  /** @default says nothing */
  logger?: Logger | undefined
  /** @default none: services that ask for trust get none */
  trust?: TrustChecker | undefined
}

/** Hosts services on a driver (section 9): the part of the original's daemon that plugins see. */
export class Runtime {
  /** What the services publish. */
  readonly events: EventBus
  readonly #options: RuntimeOptions
  readonly #logger: Logger
  readonly #registry = new ServiceRegistry()

  constructor(options: RuntimeOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
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
   * Asks the daemon who this node is, then starts the services by ascending order.
   *
   * @throws {PluginError} SERVICE_START_FAILED
   * @throws {DriverError} where the daemon does not answer
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
   * Stops the services in reverse order, 5 seconds each.
   *
   * @throws {PluginError} SERVICE_STOP_FAILED once all have been tried
   */
  async stop(): Promise<void> {
    await this.#registry.stop()
  }

  /** The same as {@link stop}: `await using runtime = new Runtime(...)`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
