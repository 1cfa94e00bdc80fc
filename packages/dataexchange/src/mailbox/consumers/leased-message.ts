import { MailboxError } from '../../errors.ts'
import { type InboxMessage, messagePayload } from '../inbox/read.ts'

/** A message that a consumer has for the time of its lease. */
export interface LeasedMessage extends InboxMessage {
  /** How often it has been handed out, this time included. */
  readonly attempt: number
  /** When the lease ends: ms since the Unix epoch. Then another consumer gets the message. */
  readonly leaseUntil: number
  /**
   * The payload, byte for byte.
   *
   * @throws {DeliveryError} SOURCE_UNREADABLE where the message does not hold all of it
   */
  payload(): Uint8Array
  /**
   * The message has been handled: no consumer of the group gets it again. Resolves when that is durable. Also
   * where the lease has run out, and where it has been acknowledged before.
   *
   * @throws {MailboxError} STORE_FAILED
   */
  ack(): Promise<void>
  /**
   * Gives the message back: it comes again after `delayMs`, at most 24 hours, or is dead where it has been
   * handed out too often.
   *
   * @param delayMs @default 0
   * @throws {MailboxError} LEASE_LOST where the lease has run out, or the message has been acknowledged
   * meanwhile; STORE_FAILED
   * @throws {PluginError} CONFIG_INVALID where the delay is longer
   */
  nack(delayMs?: number): Promise<void>
  /**
   * Lets the lease end `ms` from now, at most 24 hours.
   *
   * @param ms @default the lease of the consumer
   * @throws {MailboxError} LEASE_LOST where the lease has run out, or the message has been acknowledged
   * meanwhile; STORE_FAILED
   * @throws {PluginError} CONFIG_INVALID where the time is longer
   */
  extend(ms?: number): Promise<void>
}

/** What a lease can be told to do. */
export interface Lease {
  readonly attempt: number
  /** Of {@link LeasedMessage.extend}, in ms. */
  readonly defaultMs: number
  finish(): Promise<void>
  /** Moves its end to `ms` from now; resolves with when that is, or undefined where there is no such lease any more. */
  move(ms: number): Promise<number | undefined>
}

/** `message`, with what its consumer can do. */
export function leasedMessage(message: InboxMessage, lease: Lease, leaseUntil: number): LeasedMessage {
  let until = leaseUntil
  const move = async (ms: number) => {
    const moved = Date.now() < until ? await lease.move(ms) : undefined
    if (moved !== undefined) until = moved
    else throw new MailboxError('LEASE_LOST', `the lease of ${message.id} has ended: another may have it`)
  }
  return {
    ...message,
    attempt: lease.attempt,
    get leaseUntil() {
      return until
    },
    payload: () => messagePayload(message),
    ack: () => lease.finish(),
    nack: (delayMs = 0) => move(delayMs),
    extend: (ms = lease.defaultMs) => move(ms),
  }
}
