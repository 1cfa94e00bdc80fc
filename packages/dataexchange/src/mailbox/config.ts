import { PluginError } from '../errors.ts'
import { configuredLimit, LIMITS } from '../limits.ts'

/** The folders of a {@link Mailbox}, and the limits on their content. */
export interface MailboxConfig {
  /**
   * Folder of the messages.
   * @default `inbox` in `defaultHome()`, that is ~/.pilot/inbox
   */
  inboxDir?: string | undefined
  /**
   * Folder of the files.
   * @default `received` in `defaultHome()`, that is ~/.pilot/received
   */
  receivedDir?: string | undefined
  /**
   * Writes `data_b64` into every message, not only into messages whose payload `data` cannot hold.
   * @default false
   */
  includeBase64?: boolean | undefined
  /**
   * Maximum number of messages in the inbox. Past it the oldest are evicted. Zero or less means the default.
   * @default 10,000
   */
  inboxMaxFiles?: number | undefined
  /**
   * Maximum size in bytes of all messages in the inbox. Past it the oldest are evicted, down to 90 %. Zero means the
   * default, a negative number no limit.
   * @default 256 MiB
   */
  inboxMaxBytes?: number | undefined
  /**
   * At the limits of the inbox, `evict` removes the oldest messages and `refuse` rejects new ones (INBOX_FULL).
   * @default evict
   */
  whenFull?: 'evict' | 'refuse' | undefined
  /**
   * The fraction of the inbox's limits that one sender may use: more than 0, at most 1. Past it the sender's own
   * oldest messages are evicted, or its new ones are refused.
   * @default 1
   */
  inboxShare?: number | undefined
  /**
   * Maximum size in bytes of all received files, including files being written. A file that does not fit is refused.
   * One sender can reserve at most a quarter by the lengths that it declares; beyond that its files count by the bytes
   * that have arrived. Zero means the default, a negative number no limit.
   * @default 2 GiB
   */
  receivedMaxBytes?: number | undefined
  /**
   * Maximum number of received files, including files being written and the content of unpacked folders. A file past
   * it is refused. Zero means the default, a negative number no limit.
   * @default 200,000
   */
  receivedMaxFiles?: number | undefined
  /**
   * Milliseconds until the partial file of an interrupted transfer expires. Zero means the default, a negative number
   * never.
   * @default 3600000
   */
  partialTimeoutMs?: number | undefined
  /**
   * Milliseconds without progress until an open transfer is closed. Its partial file stays. Zero means the default, a
   * negative number never.
   * @default 60000
   */
  transferStallTimeoutMs?: number | undefined
  /**
   * Unpacks the archives of folders and replaces each with its folder. Every path is checked first. An invalid archive
   * stays as a file, like any archive that was sent as a plain file.
   * @default true
   */
  unpack?: boolean | undefined
  /**
   * `full`: stored data survives a power cut. `os`: it survives the death of this process only, since nothing is
   * synced; everything else is the same.
   * @default full
   */
  durability?: 'full' | 'os' | undefined
}

/** The limits of a {@link Mailbox} in force. A limit that is off is `Infinity`. */
export type MailboxLimits = Required<
  Pick<MailboxConfig, 'inboxMaxFiles' | 'inboxMaxBytes' | 'receivedMaxFiles' | 'receivedMaxBytes'>
>

/** The limits that `config` sets, with the defaults for the others. */
export function mailboxLimits(config: MailboxConfig): MailboxLimits {
  return {
    // Here zero or less means the default, as in the original.
    inboxMaxFiles: configuredLimit(Math.max(config.inboxMaxFiles ?? 0, 0), LIMITS.inboxMaxFiles),
    inboxMaxBytes: configuredLimit(config.inboxMaxBytes, LIMITS.inboxMaxBytes),
    receivedMaxBytes: configuredLimit(config.receivedMaxBytes, LIMITS.receivedMaxBytes),
    receivedMaxFiles: configuredLimit(config.receivedMaxFiles, LIMITS.receivedMaxFiles),
  }
}

/**
 * The share of one sender that `config` sets.
 *
 * @throws {PluginError} CONFIG_INVALID if it is not in (0, 1]
 */
export function senderShare({ inboxShare = LIMITS.inboxShare.value }: MailboxConfig): number {
  if (inboxShare > 0 && inboxShare <= 1) return inboxShare
  throw new PluginError('CONFIG_INVALID', `inboxShare is ${inboxShare}; it must be over 0 and at most 1`)
}
