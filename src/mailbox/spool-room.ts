import { MailboxError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { Tally } from './tally.ts'

/** The room for what large messages have on the disk before they are messages. One sender may take half of it. */
export class SpoolRoom {
  readonly #most: number
  readonly #taken = new Tally()

  /** `inboxMaxBytes`: what the inbox may hold; the largest message must find room here, too. */
  constructor(inboxMaxBytes: number) {
    this.#most = Math.max(inboxMaxBytes * SENDERS, LIMITS.spooledBytes.value)
  }

  /**
   * Takes room for `bytes` more of the sender `from`, until {@link giveBack}.
   *
   * @throws {MailboxError} INBOX_FULL; nothing is taken
   */
  take(from: string, bytes: number): void {
    const all = this.#taken.all.bytes + bytes
    const own = this.#taken.of(from).bytes + bytes
    if (all > this.#most || own > this.#most / SENDERS) {
      throw new MailboxError(
        'INBOX_FULL',
        `large messages of more than ${this.#most} bytes are arriving at once, or more than half of that from one sender`,
      )
    }
    this.#taken.add(from, { files: 0, bytes })
  }

  giveBack(from: string, bytes: number): void {
    this.#taken.remove(from, { files: 0, bytes })
  }
}

/** So many senders at least share the room. */
const SENDERS = 2
