import { PluginError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { DamagedMessage } from '../inbox/read.ts'

/** Longest lease of a message, and longest delay before a released message is delivered again. @limit ms */
const MAX_LEASE_MS = 86_400_000

/** Options of {@link InboxConsumer.open}. */
export interface ConsumerOptions {
  /**
   * Folder of the messages.
   * @default `inbox` in `defaultHome()`, that is ~/.pilot/inbox
   */
  dir?: string | undefined
  /**
   * Name of the group. The consumers of one group share the messages; each group gets all of them. 1 to 64
   * characters of A-Z a-z 0-9 - _ and dots; the first is not a dot.
   * @default default
   */
  group?: string | undefined
  /**
   * Length of a lease in milliseconds, more than 0 and at most 24 hours. When a lease has expired, another consumer
   * may get the message.
   * @default 60000
   */
  leaseMs?: number | undefined
  /**
   * How many times a message is handed out before it becomes a dead letter, 1 to 1000. Dead letters stay in the
   * inbox; see {@link InboxConsumer.dead}.
   * @default 5
   */
  maxAttempts?: number | undefined
  /**
   * Removes acknowledged messages from the inbox, for all groups and programs.
   * @default false
   */
  remove?: boolean | undefined
  /**
   * `full`: an acknowledgement survives a power cut. `os`: it survives only the death of this process.
   * @default full
   */
  durability?: 'full' | 'os' | undefined
  /**
   * Called for a file that is not a readable message, after `maxAttempts` reads one second apart. The file is a dead
   * letter then.
   * @default ignored
   */
  onDamaged?: ((message: DamagedMessage) => void) | undefined
}

/** Options of {@link InboxConsumer.messages}. */
export interface MessagesOptions {
  /** Ends the iteration, without an error. @default never */
  signal?: AbortSignal | undefined
}

/** Options of {@link InboxConsumer.next}. */
export interface NextOptions {
  /** How long to wait for a message, in milliseconds; Infinity waits without limit. @default 0 */
  waitMs?: number | undefined
  /** Ends the wait: `next` resolves with undefined. @default never */
  signal?: AbortSignal | undefined
}

/** {@link ConsumerOptions} that have been checked, with defaults. */
export interface CheckedOptions {
  readonly group: string
  readonly leaseMs: number
  readonly maxAttempts: number
  readonly remove: boolean
}

/**
 * Checks the options of a consumer and adds the defaults.
 *
 * @throws {PluginError} CONFIG_INVALID
 */
export function checkOptions(options: ConsumerOptions): CheckedOptions {
  const { leaseMs = LIMITS.lease.value, maxAttempts = LIMITS.leaseAttempts.value } = options
  const { group = 'default', remove = false } = options
  if (!/^[\w-][\w.-]{0,63}$/.test(group)) throw invalid('group', group, '1 to 64 of A-Z a-z 0-9 - _ .')
  checkMs('leaseMs', leaseMs, 1)
  if (!(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= MAX_ATTEMPTS)) {
    throw invalid('maxAttempts', maxAttempts, `a whole number from 1 to ${MAX_ATTEMPTS}`)
  }
  return { group, leaseMs, maxAttempts, remove }
}

/**
 * Checks that `ms` lies between `min` and the longest lease; `name` stands in the error.
 *
 * @throws {PluginError} CONFIG_INVALID
 */
export function checkMs(name: string, ms: number, min: number): void {
  const max = MAX_LEASE_MS
  if (!(ms >= min && ms <= max)) throw invalid(name, ms, `${min} to ${max} ms`)
}

/**
 * Returns `id` if it can be the id of a message: it becomes part of file names.
 *
 * @throws {PluginError} CONFIG_INVALID
 */
export function checkId(id: string): string {
  if (id !== '' && !/[/\\\0]/.test(id)) return id
  throw invalid('id', id, 'the name of a message, as inbox lists it')
}

/** Lease files have at most four digits for the attempt. */
const MAX_ATTEMPTS = 1_000

function invalid(name: string, value: unknown, expected: string): PluginError {
  return new PluginError('CONFIG_INVALID', `${name} is ${JSON.stringify(value)}; it must be ${expected}`)
}
