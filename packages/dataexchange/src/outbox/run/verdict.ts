import {
  AddressError,
  DeliveryError,
  DriverError,
  OutboxError,
  PilotError,
  PluginError,
  WireError,
} from '../../errors.ts'
import { systemCode } from '../../system-errors.ts'
import type { TryError } from '../entry/state.ts'

/**
 * What a failed try means for the next one.
 *
 * - `daemon`: nobody can be reached through the daemon of this machine; it was no try.
 * - `peer`: this peer was not reached, or did not answer. All that is for it waits.
 * - `refused`: the peer said no. It may change its mind: its disk, its inbox, its rules are not ours to know.
 * - `never`: it fails the same way each time.
 * - `stopped`: it was given up on purpose.
 */
export type Verdict = 'daemon' | 'peer' | 'refused' | 'never' | 'stopped'

/** What `error`, with which a delivery ended, means. */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof DriverError) {
    if (error.code === 'ABORTED' || error.code === 'DRIVER_CLOSED') return 'stopped'
    return AWAY.has(error.code) ? 'daemon' : 'peer'
  }
  if (error instanceof DeliveryError) {
    if (error.code === 'PEER_REFUSED') return 'refused'
    return NEVER.has(error.code) ? 'never' : 'peer'
  }
  const isOurs =
    error instanceof WireError ||
    error instanceof AddressError ||
    error instanceof PluginError ||
    error instanceof OutboxError
  return isOurs ? 'never' : 'peer'
}

const AWAY: ReadonlySet<string> = new Set(['DAEMON_UNAVAILABLE', 'DAEMON_GONE', 'DAEMON_NOT_PILOT'])
const NEVER: ReadonlySet<string> = new Set(['PEER_UNSUPPORTED', 'SOURCE_UNREADABLE', 'SOURCE_CHANGED'])

/** `error` as it is listed. */
export function tryError(error: unknown): TryError {
  const code = error instanceof PilotError ? error.code : (systemCode(error) ?? 'INTERNAL')
  return { code, message: error instanceof Error ? error.message : String(error), at: Date.now() }
}
