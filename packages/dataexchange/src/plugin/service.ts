import type { Logger } from '../logger.ts'
import type { Identity, Resolver, Streams } from '../pilot/transport.ts'
import type { EventBus } from './events.ts'

/** Tells whom this node trusts, where the host has such a service (section 9). */
export interface TrustChecker {
  isTrusted(nodeId: number): boolean
  /** A name for a person to read, where the host knows one. */
  displayName(nodeId: number): string | undefined
}

/** What a host hands to a service (section 9). */
export interface ServiceDeps {
  readonly streams: Streams
  readonly identity: Identity
  readonly resolver: Resolver
  readonly events: EventBus
  readonly logger: Logger
  readonly trust?: TrustChecker | undefined
}

/** A service that a host can run (section 9). */
export interface PluginService {
  readonly name: string
  /** Services start by ascending order and stop in reverse. */
  readonly order: number
  /** Resolves when the service is ready. `signal` fires when the host gives up on the start. */
  start(deps: ServiceDeps, signal?: AbortSignal): Promise<void>
  /** Resolves when all is released. `signal` fires when the time for stopping is over. */
  stop(signal?: AbortSignal): Promise<void>
}
