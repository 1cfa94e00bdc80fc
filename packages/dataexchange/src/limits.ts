import { GiB, KiB, MiB } from './bytes.ts'
import { checkNumber, MAX_FRAME_SIZE } from './frame-limits.ts'

/** One limit: its value, its unit, and the effect of reaching it. */
export interface Limit {
  /** The default, or the fixed value; Infinity means that the limit is off. */
  readonly value: number
  /** The unit of `value`; a `part` is a fraction from 0 to 1. */
  readonly unit: 'bytes' | 'ms' | 'count' | 'part'
  /** A description: the quantity that is bounded, and the effect of reaching the bound. */
  readonly about: string
  /** The option that sets it, or null if it is fixed. */
  readonly option: string | null
}

/** The limits that an option sets, with their defaults. */
export class DefaultLimits {
  readonly maxFrameSize: Limit = bytes(
    MAX_FRAME_SIZE,
    'payload of the largest frame; a longer frame ends the connection before its payload is read',
    'maxFrameSize, PILOT_DATAEXCHANGE_MAX_FRAME',
  )
  readonly maxConnections: Limit = count(
    1_000,
    'open connections; another one is closed as soon as it is accepted',
    'maxConnections',
  )
  readonly maxConnectionsPerPeer: Limit = count(
    64,
    'open connections of one peer; another one is closed as soon as it is accepted',
    'maxConnectionsPerPeer',
  )
  readonly frameTimeout: Limit = ms(
    60_000,
    'time for one frame to arrive, plus one second for every 4 KiB received; then its connection is closed',
    'frameTimeoutMs',
  )
  readonly idleTimeout: Limit = ms(
    120_000,
    'time without a byte of payload, after which a connection is closed; empty frames do not count',
    'idleTimeoutMs',
  )
  readonly inboxMaxFiles: Limit = count(
    10_000,
    'messages in the inbox; beyond it the oldest are removed, or new ones are refused (whenFull)',
    'inboxMaxFiles',
  )
  readonly inboxMaxBytes: Limit = bytes(
    256 * MiB,
    'size of the inbox; beyond it the oldest messages are removed until it is at 90 %, or new ones are refused (whenFull)',
    'inboxMaxBytes',
  )
  readonly inboxShare: Limit = part(
    1,
    'share of both inbox limits for one peer; beyond it the oldest messages of the peer are removed, or its new ones are refused; a message larger than the share is always refused',
    'inboxShare',
  )
  readonly receivedMaxBytes: Limit = bytes(
    2 * GiB,
    'size of the received folder, including partial files and files being written; a file that does not fit is refused',
    'receivedMaxBytes',
  )
  readonly receivedMaxFiles: Limit = count(
    200_000,
    'received files, including files being written and the contents of unpacked folders; another one is refused',
    'receivedMaxFiles',
  )
  readonly framesPerSecond: Limit = count(
    Number.POSITIVE_INFINITY,
    'frames a second from one peer; frames beyond the rate are refused, and chunks of files are read more slowly',
    'rates.framesPerSecond',
  )
  readonly bytesPerSecond: Limit = bytes(
    Number.POSITIVE_INFINITY,
    'bytes a second from one peer; the effect is that of framesPerSecond',
    'rates.bytesPerSecond',
  )
  readonly transferStall: Limit = ms(
    60_000,
    'time without progress, after which a receiving transfer is closed; its partial file is kept',
    'transferStallTimeoutMs',
  )
  readonly partialTimeout: Limit = ms(
    3_600_000,
    'time after which a partial file that was not resumed is removed',
    'partialTimeoutMs',
  )
  readonly lease: Limit = ms(
    60_000,
    'time that a consumer of the inbox holds a message; then another consumer gets it',
    'leaseMs of InboxConsumer.open()',
  )
  readonly leaseAttempts: Limit = count(
    5,
    'number of times that a message is delivered to consumers; then it becomes a dead letter',
    'maxAttempts of InboxConsumer.open()',
  )
  readonly dialTimeout: Limit = ms(30_000, 'time for the daemon to reach a peer', 'timeoutMs of dial()')
  readonly requestTimeout: Limit = ms(
    10_000,
    'time for the daemon to answer any other request',
    'timeoutMs of connect()',
  )
  readonly answerTimeout: Limit = ms(
    30_000,
    'time from the last byte written of a frame to its answer',
    'answerTimeoutMs of deliver()',
  )
  readonly replyTimeout: Limit = ms(
    30_000,
    'time to compute a reply, at most exchangeTimeout; then the peer receives an error instead',
    'replyTimeoutMs',
  )
  readonly exchangeTimeout: Limit = ms(
    40_000,
    'time for a request and its reply on one connection; then the service closes it, and the sender gives up',
    'timeoutMs of request()',
  )
  readonly replyWait: Limit = ms(
    30_000,
    'time to wait in the inbox for the reply to a message',
    'timeoutMs of ReplyWatch.reply()',
  )
  readonly uploadStall: Limit = ms(
    60_000,
    'time without progress, after which a sender gives up a file transfer',
    'stallTimeoutMs of transferFile()',
  )
  readonly outboxMaxEntries: Limit = count(
    100_000,
    'messages in an outbox, including failed ones; adding another one is refused',
    'maxEntries',
  )
  readonly outboxMaxBytes: Limit = bytes(
    1 * GiB,
    'size of an outbox; files that are referenced instead of copied do not count',
    'maxBytes',
  )
  readonly outboxExpiry: Limit = ms(
    7 * 24 * 3_600_000,
    'time after which a message that was not delivered is listed as failed',
    'expiresInMs',
  )
  readonly outboxRetryMin: Limit = ms(
    1_000,
    'wait before the second attempt to reach a peer; it doubles with each attempt, less up to half at random',
    'retryMinMs',
  )
  readonly outboxRetryMax: Limit = ms(
    300_000,
    'longest wait between two attempts to reach a peer',
    'retryMaxMs',
  )
  readonly outboxPeersAtOnce: Limit = count(
    16,
    'peers that an outbox sends to at once; at most half of them were unreachable at the last attempt',
    'peersAtOnce',
  )
}

/** The fixed limits that several files share, and those that tests change. */
class FixedLimits {
  readonly wholeFrame: Limit = bytes(
    256 * KiB,
    'largest payload that is handled in memory; a larger one is written to the disk as it arrives',
  )
  readonly bytesInFlight: Limit = bytes(
    MiB,
    'payloads of one connection that are being stored; at this size reading pauses',
  )
  readonly bytesHeld: Limit = bytes(
    64 * MiB,
    'payloads in memory for all connections; at this size none is read. From half of it on, frames over 4 KiB are written to the disk as they arrive (see gatheredBytes)',
  )
  readonly bytesHeldPerPeer: Limit = bytes(
    16 * MiB,
    'payloads in memory for the connections of one peer; at this size they are not read',
  )
  readonly gatheredBytes: Limit = bytes(
    32 * MiB,
    'messages of up to wholeFrame that are kept in memory although it is scarce (see bytesHeld), a quarter of it for one peer; others are written to the disk as they arrive',
  )
  readonly spooledBytes: Limit = bytes(
    2 * GiB,
    'large messages on the disk that are still arriving, half of it for one peer; messages beyond it are refused. If inboxMaxBytes is more than half of this, the limit is twice inboxMaxBytes',
  )
  readonly unwrittenBytes: Limit = bytes(
    32 * MiB,
    'bytes of large frames that were read and are not yet written, up to 1 MiB for each frame; beyond it each frame is read one piece at a time',
  )
  readonly descriptorReserve: Limit = count(
    32,
    'file descriptors reserved for stores, if the system reports a maximum; connections that would use them are closed as soon as they are accepted',
  )
  readonly idLifetime: Limit = ms(
    600_000,
    'time that a message id is remembered; a message with the same id is answered and not stored again',
  )
  readonly journalSegment: Limit = bytes(
    8 * MiB,
    'size of one segment of the write-ahead log for small messages; then a new segment begins',
  )
  readonly journalAge: Limit = ms(
    5_000,
    'age at which a segment of the write-ahead log is checkpointed: its messages are synced, and it is deleted',
  )
  readonly folderEntries: Limit = count(
    100_000,
    'files and folders in a folder that is sent; a larger folder is refused, and is not unpacked by the receiver',
  )
  readonly closeTimeout: Limit = ms(5_000, 'time to wait for the other side of a stream to close')
  readonly stopTimeout: Limit = ms(
    5_000,
    'time for a service to stop; complete frames that have arrived are answered within it',
  )
  readonly reconnectMin: Limit = ms(
    100,
    'first wait before reconnecting to a lost daemon, or to the peer of a lost transfer; it doubles with each failure',
  )
  readonly reconnectMax: Limit = ms(
    10_000,
    'longest wait before reconnecting to a lost daemon, or to the peer of a lost transfer',
  )
  readonly uploadTries: Limit = count(
    10,
    'consecutive connections without progress, after which a file transfer fails',
  )
  readonly uploadHashRate: Limit = bytes(
    32 * MiB,
    'bytes a second that a receiver is assumed to hash; once it has the whole file, it has this much more time than uploadStall',
  )
  readonly ipcMessage: Limit = bytes(
    MiB,
    'largest message on the socket of the daemon; a longer one ends that connection',
  )
  readonly ipcSend: Limit = bytes(64 * KiB, 'largest piece of a stream in one message to the daemon')
}

function bytes(value: number, about: string, option: string | null = null): Limit {
  return { value, unit: 'bytes', about, option }
}

function ms(value: number, about: string, option: string | null = null): Limit {
  return { value, unit: 'ms', about, option }
}

function count(value: number, about: string, option: string | null = null): Limit {
  return { value, unit: 'count', about, option }
}

function part(value: number, about: string, option: string | null = null): Limit {
  return { value, unit: 'part', about, option }
}

/**
 * The defaults of all limits that an option sets. `docs/limits.md` is generated from this table, from
 * {@link FIXED_LIMITS}, and from the constants with a tag `@limit`.
 */
export const LIMITS: Readonly<DefaultLimits> = new DefaultLimits()

/** The names of {@link LIMITS}. */
export type LimitName = keyof DefaultLimits

/** Limits that several files share and that no option sets. They are not part of the public API. */
export const FIXED_LIMITS: Readonly<FixedLimits> = new FixedLimits()

/**
 * Returns the limit that an option sets. As in the original, undefined and zero mean the default, and a
 * negative value turns the limit off (Infinity).
 *
 * @throws {PluginError} CONFIG_INVALID if `value` is not a number
 */
export function configuredLimit(value: number | undefined, fallback: Limit): number {
  if (value === undefined || value === 0) return fallback.value
  return checkNumber(fallback.option ?? 'a limit', value) < 0 ? Number.POSITIVE_INFINITY : value
}
