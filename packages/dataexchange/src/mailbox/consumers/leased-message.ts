import { MailboxError } from '../../errors.ts'
import { type InboxMessage, messagePayload } from '../inbox/read.ts'

/** A message that is leased to a consumer. */
export interface LeasedMessage extends InboxMessage {
  /** How many times the message has been handed out, including this time. */
  readonly attempt: number
  /** When the lease ends, in ms since the Unix epoch. After that another consumer may get the message. */
  readonly leaseUntil: number
  /**
   * Returns the payload, byte for byte.
   *
   * @throws {DeliveryError} SOURCE_UNREADABLE if the message does not hold all of it
   */
  payload(): Uint8Array
  /**
   * Acknowledges the message: no consumer of the group gets it again. Resolves when that is durable. Works also
   * after the lease has expired, and more than once.
   *
   * @throws {MailboxError} STORE_FAILED
   */
  ack(): Promise<void>
  /**
   * Gives the message back: it is handed out again after `delayMs`, or becomes a dead letter if this was its last
   * attempt.
   *
   * @param delayMs milliseconds, at most 24 hours. @default 0
   * @throws {MailboxError} LEASE_LOST if the lease has expired or the message was acknowledged meanwhile; STORE_FAILED
   * @throws {PluginError} CONFIG_INVALID if the delay is too long
   */
  nack(delayMs?: number): Promise<void>
  /**
   * Moves the end of the lease to `ms` from now; this may also shorten it.
   *
   * @param ms milliseconds, at most 24 hours. @default `leaseMs` of the consumer
   * @throws {MailboxError} LEASE_LOST if the lease has expired or the message was acknowledged meanwhile; STORE_FAILED
   * @throws {PluginError} CONFIG_INVALID if the time is too long
   */
  extend(ms?: number): Promise<void>
}

/** A lease that has been acquired. */
export interface Lease {
  readonly attempt: number
  /** Milliseconds that {@link LeasedMessage.extend} uses by default. */
  readonly defaultMs: number
  acknowledge(): Promise<void>
  /** Moves the end of the lease to `ms` from now. Resolves with that time, or with undefined if the lease was lost. */
  expireIn(ms: number): Promise<number | undefined>
}

/** Adds the methods of `lease` to `message`. */
export function leasedMessage(message: InboxMessage, lease: Lease, leaseUntil: number): LeasedMessage {
  let until = leaseUntil
  const expireIn = async (ms: number) => {
    const moved = Date.now() < until ? await lease.expireIn(ms) : undefined
    if (moved === undefined) {
      throw new MailboxError(
        'LEASE_LOST',
        `the lease of ${message.id} has ended: another consumer may have it`,
      )
    }
    until = moved
  }
  return {
    ...message,
    attempt: lease.attempt,
    get leaseUntil() {
      return until
    },
    payload: () => messagePayload(message),
    ack: () => lease.acknowledge(),
    nack: (delayMs = 0) => expireIn(delayMs),
    extend: (ms = lease.defaultMs) => expireIn(ms),
  }
}
