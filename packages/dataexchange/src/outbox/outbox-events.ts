import { OutboxError } from '../errors.ts'
import type { EntryState } from './entry/state.ts'

/** The events of a running outbox, by topic. */
export interface OutboxEvents {
  /** The peer has stored the message. */
  'outbox.delivered': {
    /** The message's id. */
    id: string
    /** The `target` of `add()`. */
    target: string
    /** The peer's address. */
    to: string
    type: string
    bytes: number
    tries: number
    /** True if the peer had it from an earlier try. */
    duplicate: boolean
  }
  /** The message has failed: it is not tried again until `retry()`. */
  'outbox.failed': {
    id: string
    target: string
    /** Empty if the target was never resolved. */
    to: string
    /** The error's code. */
    code: string
    reason: string
    tries: number
  }
}

/** Publishes an event. */
export type Publish = <T extends keyof OutboxEvents>(topic: T, payload: OutboxEvents[T]) => void

/** The error of an expired entry. */
export function expiredError({ lastError }: EntryState): OutboxError {
  const why = lastError === undefined ? 'it was never tried' : `the last try: ${lastError.message}`
  return new OutboxError('OUTBOX_EXPIRED', `not delivered in its time; ${why}`)
}
