import type { Logger } from '../logger.ts'
import type { Identity, Resolver, Streams } from '../pilot/transport.ts'
import type { EventBus } from './events.ts'

/** The host's knowledge of trusted nodes. */
export interface TrustChecker {
  /** True if this node trusts `nodeId`. */
  isTrusted(nodeId: number): boolean
  /** A human-readable name of `nodeId`, if the host knows one. */
  displayName(nodeId: number): string | undefined
}

/** The dependencies that a host passes to a service. */
export interface ServiceDeps {
  readonly streams: Streams
  readonly identity: Identity
  readonly resolver: Resolver
  readonly events: EventBus
  readonly logger: Logger
  readonly trust?: TrustChecker | undefined
}

/** A service that a host can run. */
export interface PluginService {
  /** Unique in its host. */
  readonly name: string
  /** Services start by ascending order and stop in reverse. */
  readonly order: number
  /** Resolves when the service is ready. The host aborts `signal` to give up on the start. */
  start(deps: ServiceDeps, signal?: AbortSignal): Promise<void>
  /** Resolves when the service has released everything. The host aborts `signal` when the time for it is over. */
  stop(signal?: AbortSignal): Promise<void>
}
