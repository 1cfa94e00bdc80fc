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
 * The consequence of a failed try for the next one.
 *
 * - `daemon`: the daemon of this machine is not reachable; this does not count as a try.
 * - `peer`: the peer was not reached, or did not answer. All its entries wait.
 * - `refused`: the peer refused. It may accept later: its disk, inbox or rules may change.
 * - `never`: it fails in the same way each time.
 * - `stopped`: this side aborted it.
 */
export type Verdict = 'daemon' | 'peer' | 'refused' | 'never' | 'stopped'

/** The verdict for the error of a delivery. */
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

/** Converts `error` for the state of an entry. */
export function tryError(error: unknown): TryError {
  const code = error instanceof PilotError ? error.code : (systemCode(error) ?? 'INTERNAL')
  return { code, message: error instanceof Error ? error.message : String(error), at: Date.now() }
}
