import type { ServiceConfig } from '#lib/service/service.js'

/**
 * The receiver: the service, durable or not, or one of its bounds. `null` answers and stores nothing, `plain` stores
 * each message in a plain file, `synced` does so durably.
 */
export type Kind = 'full' | 'os' | 'null' | 'plain' | 'synced'

/** How a service's process is run. */
export interface ServiceOptions {
  readonly kind: Kind
  /** An empty folder for what it stores, or one that {@link fillInbox} has filled. */
  readonly dir: string
  /** The Unix socket to serve. */
  readonly socket: string
  /** Serve it as an embedded daemon does, not as a bare socket. */
  readonly embedded: boolean
  /** It is that of a daemon which runs: serve the port of its node. */
  readonly attached?: boolean
  /** Messages that stay in the inbox; past that the oldest go. */
  readonly cap: number
}

/** No cap. */
export const UNCAPPED = 1e9
/** For files of 1 GiB in one frame. */
export const LARGEST_FRAME = 2 ** 31

/** Without the limits that one sender of everything would meet. */
export function serviceConfig({ kind, dir, cap }: ServiceOptions): ServiceConfig {
  return {
    inboxDir: `${dir}/inbox`,
    receivedDir: `${dir}/received`,
    durability: kind === 'os' ? 'os' : 'full',
    inboxMaxFiles: cap,
    inboxMaxBytes: -1,
    receivedMaxBytes: -1,
    maxConnections: -1,
    maxConnectionsPerPeer: -1,
    idleTimeoutMs: -1,
    frameTimeoutMs: -1,
    maxFrameSize: LARGEST_FRAME,
  }
}
