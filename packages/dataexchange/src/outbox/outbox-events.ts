import { OutboxError } from '../errors.ts'
import type { EntryState } from './entry/state.ts'

/** What an outbox tells while it runs, by topic. */
export interface OutboxEvents {
  /** The peer has it. */
  'outbox.delivered': {
    /** Of the message. */
    id: string
    /** As it was given to `add()`. */
    target: string
    /** The address it was sent to. */
    to: string
    type: string
    bytes: number
    tries: number
    /** True where the peer had it from an earlier try. */
    duplicate: boolean
  }
  /** It is not tried any more, until `retry()`. */
  'outbox.failed': {
    id: string
    target: string
    /** Empty where the peer was never resolved. */
    to: string
    /** Of the library's error. */
    code: string
    reason: string
    tries: number
  }
}

/** Hands an event to whoever listens. */
export type Publish = <T extends keyof OutboxEvents>(topic: T, payload: OutboxEvents[T]) => void

/** What an entry whose time is over failed with. */
export function expiredError({ lastError }: EntryState): OutboxError {
  const why = lastError === undefined ? 'it was never tried' : `the last try: ${lastError.message}`
  return new OutboxError('OUTBOX_EXPIRED', `not delivered in its time; ${why}`)
}
