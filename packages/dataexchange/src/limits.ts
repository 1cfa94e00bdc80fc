import { PluginError } from './errors.ts'

/** One limit: its default, its unit, and what is seen when it is met. */
export interface Limit {
  /** The value when nothing else is configured; Infinity where it is off then. */
  readonly value: number
  /** `part` is one of a whole, up to 1. */
  readonly unit: 'bytes' | 'ms' | 'count' | 'part'
  /** What it bounds, and what happens at it. */
  readonly about: string
  /** The option that changes it, or null where it is fixed. */
  readonly option: string | null
}

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

/** The names of {@link LIMITS}. */
export type LimitName =
  | 'maxFrameSize'
  | 'maxFrameSizeFloor'
  | 'maxFrameSizeCeiling'
  | 'maxFileName'
  | 'wholeFrame'
  | 'framesInFlight'
  | 'bytesInFlight'
  | 'unreadAnswers'
  | 'unreadAnswersTimeout'
  | 'maxConnections'
  | 'maxConnectionsPerPeer'
  | 'bytesHeld'
  | 'bytesHeldPerPeer'
  | 'frameTimeout'
  | 'frameMinRate'
  | 'tightFrame'
  | 'refusalsAtOnce'
  | 'refusalRate'
  | 'refusalLogInterval'
  | 'descriptorReserve'
  | 'descriptorWait'
  | 'streamedStoreWait'
  | 'streamedStores'
  | 'gatheredBytes'
  | 'unwrittenBytes'
  | 'spooledBytes'
  | 'largeMessages'
  | 'idleTimeout'
  | 'inboxMaxFiles'
  | 'inboxMaxBytes'
  | 'inboxShare'
  | 'receivedMaxBytes'
  | 'receivedMaxFiles'
  | 'receivedShare'
  | 'framesPerSecond'
  | 'bytesPerSecond'
  | 'idLifetime'
  | 'idsRemembered'
  | 'idJournalRecords'
  | 'journalSegment'
  | 'journalSegments'
  | 'journalAge'
  | 'journalClose'
  | 'transfers'
  | 'transfersPerPeer'
  | 'transferStall'
  | 'transferChunk'
  | 'transferHeld'
  | 'partialFiles'
  | 'partialFilesPerPeer'
  | 'partialTimeout'
  | 'lease'
  | 'maxLease'
  | 'leaseAttempts'
  | 'folderEntries'
  | 'folderDepth'
  | 'folderPath'
  | 'unpackQueue'
  | 'unpackTries'
  | 'dialTimeout'
  | 'requestTimeout'
  | 'answerTimeout'
  | 'answerRequest'
  | 'answersAtOnce'
  | 'answersAtOncePerPeer'
  | 'replyTimeout'
  | 'exchangeTimeout'
  | 'commandReply'
  | 'commandComplaint'
  | 'replyWait'
  | 'replyHold'
  | 'replyScanFiles'
  | 'replyScanMessages'
  | 'replyScanSize'
  | 'closeTimeout'
  | 'closeLinger'
  | 'stopTimeout'
  | 'reconnectMin'
  | 'reconnectMax'
  | 'fileStreamChunk'
  | 'fileStreamWindow'
  | 'initAckTimeout'
  | 'uploadStall'
  | 'uploadTries'
  | 'uploadHashRate'
  | 'ipcMessage'
  | 'ipcSend'
  | 'streamBuffer'
  | 'streamStall'
  | 'earlyBytes'
  | 'unreadFrames'
  | 'eventQueue'
  | 'outboxMaxEntries'
  | 'outboxMaxBytes'
  | 'outboxExpiry'
  | 'outboxRetryMin'
  | 'outboxRetryMax'
  | 'outboxDaemonRetryMax'
  | 'outboxRefusals'
  | 'outboxPeersAtOnce'
  | 'outboxTurn'
  | 'outboxFrameFile'
  | 'daemonClientStall'
  | 'daemonStreamBuffer'
  | 'daemonRequests'
  | 'daemonBacklog'

/** Every cap, timeout and default of the library, in one place. `docs/limits.md` is generated from it. */
export const LIMITS: Readonly<Record<LimitName, Limit>> = {
  maxFrameSize: {
    value: 256 * MiB,
    unit: 'bytes',
    about: 'payload of the largest frame; a longer one ends the connection before its payload is read',
    option: 'maxFrameSize, PILOT_DATAEXCHANGE_MAX_FRAME',
  },
  maxFrameSizeFloor: {
    value: 64 * KiB,
    unit: 'bytes',
    about: 'the smallest value that PILOT_DATAEXCHANGE_MAX_FRAME may set; a smaller one is ignored',
    option: null,
  },
  maxFrameSizeCeiling: {
    value: 2 * GiB,
    unit: 'bytes',
    about: 'the largest value that PILOT_DATAEXCHANGE_MAX_FRAME may set; a larger one is ignored',
    option: null,
  },
  maxFileName: {
    value: 255,
    unit: 'bytes',
    about: 'a file name in a frame (UTF-8), and a name on the disk with its suffix',
    option: null,
  },
  wholeFrame: {
    value: 256 * KiB,
    unit: 'bytes',
    about: 'a payload up to this size is handled in memory; a larger one goes to the disk as it arrives',
    option: null,
  },
  framesInFlight: {
    value: 64,
    unit: 'count',
    about: 'frames of one connection that are being stored at once; then reading pauses',
    option: null,
  },
  bytesInFlight: {
    value: MiB,
    unit: 'bytes',
    about: 'payload bytes of one connection that are being stored at once; then reading pauses',
    option: null,
  },
  unreadAnswers: {
    value: 256 * KiB,
    unit: 'bytes',
    about: 'answers that a peer has not read; then reading from it pauses',
    option: null,
  },
  unreadAnswersTimeout: {
    value: 30_000,
    unit: 'ms',
    about: 'a peer that reads none of its answers for this long is dropped',
    option: null,
  },
  maxConnections: {
    value: 1_000,
    unit: 'count',
    about: 'connections at once; a further one is closed as soon as it is accepted',
    option: 'maxConnections',
  },
  maxConnectionsPerPeer: {
    value: 64,
    unit: 'count',
    about: 'connections of one peer at once; a further one is closed as soon as it is accepted',
    option: 'maxConnectionsPerPeer',
  },
  bytesHeld: {
    value: 64 * MiB,
    unit: 'bytes',
    about:
      'payload bytes held for all connections; then none is read; from half of it on, frames over 4 KiB go to the disk as they arrive (see gatheredBytes)',
    option: null,
  },
  bytesHeldPerPeer: {
    value: 16 * MiB,
    unit: 'bytes',
    about: 'payload bytes held for the connections of one peer; then they are not read',
    option: null,
  },
  frameTimeout: {
    value: 60_000,
    unit: 'ms',
    about:
      'time for one frame to arrive, and what has come of it at 4 KiB a second on top; then its connection is closed',
    option: 'frameTimeout',
  },
  frameMinRate: {
    value: 4 * KiB,
    unit: 'bytes',
    about: 'bytes a second that a frame must arrive at',
    option: null,
  },
  tightFrame: {
    value: 4 * KiB,
    unit: 'bytes',
    about: 'a payload up to this size is handled in memory when memory is tight (see bytesHeld)',
    option: null,
  },
  refusalsAtOnce: {
    value: 256,
    unit: 'count',
    about: 'frames of one peer that may be refused at once; then it is read no faster than refusalRate',
    option: null,
  },
  refusalRate: {
    value: 64,
    unit: 'count',
    about: 'frames a second that are read of a peer whose frames are refused all the time',
    option: null,
  },
  refusalLogInterval: {
    value: 10_000,
    unit: 'ms',
    about: 'time between two log lines about refusals of one kind; the line says how many there were',
    option: null,
  },
  descriptorReserve: {
    value: 32,
    unit: 'count',
    about:
      'descriptors kept for what is being stored, where the system tells how many there are; connections that would take them are closed as soon as they are accepted',
    option: null,
  },
  descriptorWait: {
    value: 2_000,
    unit: 'ms',
    about: 'time that one step of a store waits for a descriptor; then the store fails',
    option: null,
  },
  streamedStoreWait: {
    value: 15_000,
    unit: 'ms',
    about: 'time that a large frame waits for its turn to be stored; then it is refused with ERR',
    option: null,
  },
  streamedStores: {
    value: 1_024,
    unit: 'count',
    about:
      'large frames that are being stored at once, half of them for one peer; fewer where there are not descriptors for so many',
    option: null,
  },
  gatheredBytes: {
    value: 32 * MiB,
    unit: 'bytes',
    about:
      'messages of up to wholeFrame that arrive while memory is tight (see bytesHeld), a quarter of it for one peer; more of them go to the disk as they arrive',
    option: null,
  },
  unwrittenBytes: {
    value: 32 * MiB,
    unit: 'bytes',
    about:
      'large frames that have been read and are not written yet, up to 1 MiB of each; past that each is read a piece at a time, once the one before is written',
    option: null,
  },
  spooledBytes: {
    value: 2 * GiB,
    unit: 'bytes',
    about:
      'large messages that are arriving, on the disk, half of it for one peer; what is over is refused. Where inboxMaxBytes is over half of this, twice that counts',
    option: null,
  },
  largeMessages: {
    value: 4,
    unit: 'count',
    about:
      'large messages that have arrived and are being written as JSON at once, half of them of one peer; others wait for their turn',
    option: null,
  },
  idleTimeout: {
    value: 120_000,
    unit: 'ms',
    about: 'a connection without a byte of payload for this long is closed; empty frames are no sign of life',
    option: 'idleTimeout',
  },
  inboxMaxFiles: {
    value: 10_000,
    unit: 'count',
    about: 'messages in the inbox; past that the oldest are removed, or new ones refused (whenFull)',
    option: 'inboxMaxFiles',
  },
  inboxMaxBytes: {
    value: 256 * MiB,
    unit: 'bytes',
    about:
      'all messages in the inbox; past that the oldest are removed, down to 90 %, or new ones refused (whenFull)',
    option: 'inboxMaxBytes',
  },
  inboxShare: {
    value: 1,
    unit: 'part',
    about:
      'what one peer may have of both; past that its own oldest messages are removed, or its new ones refused; one larger than that is always refused',
    option: 'inboxShare',
  },
  receivedMaxBytes: {
    value: 2 * GiB,
    unit: 'bytes',
    about:
      'all received files, those being written and partial ones included; a file that does not fit is refused',
    option: 'receivedMaxBytes',
  },
  receivedMaxFiles: {
    value: 200_000,
    unit: 'count',
    about:
      'received files, those being written and all that unpacked folders hold included; a further one is refused',
    option: 'receivedMaxFiles',
  },
  receivedShare: {
    value: 1 / 4,
    unit: 'part',
    about:
      'what one peer may reserve of receivedMaxBytes by the lengths it declares; past that its files count with what has come of them',
    option: null,
  },
  framesPerSecond: {
    value: Number.POSITIVE_INFINITY,
    unit: 'count',
    about: 'frames a second of one peer; what is over is refused, or, of files in chunks, read more slowly',
    option: 'rates.framesPerSecond',
  },
  bytesPerSecond: {
    value: Number.POSITIVE_INFINITY,
    unit: 'bytes',
    about: 'bytes a second of one peer; as framesPerSecond',
    option: 'rates.bytesPerSecond',
  },
  idLifetime: {
    value: 600_000,
    unit: 'ms',
    about: 'time that a delivery with a message id is remembered; the same one again is answered, not stored',
    option: null,
  },
  idsRemembered: {
    value: 8_192,
    unit: 'count',
    about:
      'deliveries with a message id that are remembered, also over a restart; then whoever has most loses its oldest',
    option: null,
  },
  idJournalRecords: {
    value: 4_096,
    unit: 'count',
    about:
      'records in one file of the journal of message ids, which has two for each delivery; then a new one is begun',
    option: null,
  },
  journalSegment: {
    value: 8 * MiB,
    unit: 'bytes',
    about: 'one file of the journal that makes small messages durable; then a new one is begun',
    option: null,
  },
  journalSegments: {
    value: 4,
    unit: 'count',
    about:
      'files of that journal whose messages are still to be synced; past that each new message is synced by itself',
    option: null,
  },
  journalAge: {
    value: 5_000,
    unit: 'ms',
    about: 'after this time the messages in a file of that journal are synced themselves, and it is removed',
    option: null,
  },
  journalClose: {
    value: 2_000,
    unit: 'ms',
    about: 'time for that at the end of a service; what is left is done at the next start',
    option: null,
  },
  transfers: {
    value: 64,
    unit: 'count',
    about:
      'transfers (FILESTREAM) that are received at once, each with an open file; a further one is refused',
    option: null,
  },
  transfersPerPeer: {
    value: 16,
    unit: 'count',
    about: 'transfers of one peer that are received at once; a further one is refused',
    option: null,
  },
  transferStall: {
    value: 60_000,
    unit: 'ms',
    about: 'a transfer that receives nothing new for this long is closed; its partial file stays',
    option: 'transferTimeout',
  },
  transferChunk: {
    value: MiB,
    unit: 'bytes',
    about: 'data of the largest CHUNK of a transfer; a longer one ends it',
    option: null,
  },
  transferHeld: {
    value: 768 * KiB,
    unit: 'bytes',
    about: 'chunks of one transfer that have come before those in front of them; more of them end it',
    option: null,
  },
  partialFiles: {
    value: 256,
    unit: 'count',
    about: 'partial files kept; for a further one the oldest goes of the peer that has most',
    option: null,
  },
  partialFilesPerPeer: {
    value: 32,
    unit: 'count',
    about: 'partial files kept of one peer; for a further one its oldest goes',
    option: null,
  },
  partialTimeout: {
    value: 3_600_000,
    unit: 'ms',
    about: 'a partial file that nobody has gone on with for this long is removed',
    option: 'partialTimeout',
  },
  lease: {
    value: 60_000,
    unit: 'ms',
    about: 'time that a consumer of the inbox has for a message; then another consumer gets it',
    option: 'leaseMs of InboxConsumer.open()',
  },
  maxLease: {
    value: 86_400_000,
    unit: 'ms',
    about: 'longest lease of a message, and longest delay before one that was given back comes again',
    option: null,
  },
  leaseAttempts: {
    value: 5,
    unit: 'count',
    about: 'how often a message is handed out to consumers; then it is dead, and listed as such',
    option: 'maxAttempts of InboxConsumer.open()',
  },
  folderEntries: {
    value: 100_000,
    unit: 'count',
    about:
      'files and folders in a folder that is sent; one with more is refused, and is not unpacked where it comes',
    option: null,
  },
  folderDepth: {
    value: 100,
    unit: 'count',
    about: 'folders within each other in a folder that is sent, the outermost counted; else as folderEntries',
    option: null,
  },
  folderPath: {
    value: 2 * KiB,
    unit: 'bytes',
    about: 'longest path in a folder that is sent, from the folder’s own name on; else as folderEntries',
    option: null,
  },
  unpackQueue: {
    value: 1_000,
    unit: 'count',
    about: 'received folders that wait to be unpacked; those that come then stay archives',
    option: null,
  },
  unpackTries: {
    value: 3,
    unit: 'count',
    about:
      'starts of the service at which a received folder is unpacked that a crash has cut off; then it stays an archive',
    option: null,
  },
  dialTimeout: {
    value: 30_000,
    unit: 'ms',
    about: 'time for the daemon to reach a peer',
    option: 'timeoutMs of dial()',
  },
  requestTimeout: {
    value: 10_000,
    unit: 'ms',
    about: 'time for the daemon to answer any other request',
    option: 'timeoutMs of connect()',
  },
  answerTimeout: {
    value: 30_000,
    unit: 'ms',
    about: 'time between the last byte of a frame written and its answer',
    option: 'timeoutMs of deliver()',
  },
  answerRequest: {
    value: 256 * KiB,
    unit: 'bytes',
    about: 'a request (AUTOANSWER) to a service that answers; a longer one is refused with ERR',
    option: null,
  },
  answersAtOnce: {
    value: 16,
    unit: 'count',
    about:
      'requests being answered at once, until their replies are written; a further one is refused with ERR',
    option: null,
  },
  answersAtOncePerPeer: {
    value: 4,
    unit: 'count',
    about: 'requests of one peer being answered at once; a further one is refused with ERR',
    option: null,
  },
  replyTimeout: {
    value: 30_000,
    unit: 'ms',
    about: 'time to work out a reply, at most exchangeTimeout; then the peer is told that there is none',
    option: 'replyTimeout',
  },
  exchangeTimeout: {
    value: 40_000,
    unit: 'ms',
    about:
      'time for a request and its reply on one connection; then the service closes it, and the sender gives up',
    option: 'timeoutMs of request()',
  },
  commandReply: {
    value: MiB,
    unit: 'bytes',
    about: 'output of the command of serve --answer; one that prints more is killed, and there is no reply',
    option: null,
  },
  commandComplaint: {
    value: 4 * KiB,
    unit: 'bytes',
    about: 'what the command of serve --answer writes to stderr that the log tells; the rest is left out',
    option: null,
  },
  replyWait: {
    value: 30_000,
    unit: 'ms',
    about: 'time to wait in the inbox for the reply to a message',
    option: 'timeoutMs of ReplyWatch.reply()',
  },
  replyHold: {
    value: 750,
    unit: 'ms',
    about:
      'a message that names no request is held back for this long where its sender is known to name them: the reply that does may follow',
    option: null,
  },
  replyScanFiles: {
    value: 1_000,
    unit: 'count',
    about: 'newest messages of the inbox that are looked at for whether a peer names what it replies to',
    option: null,
  },
  replyScanMessages: {
    value: 200,
    unit: 'count',
    about: 'of these, messages of that peer; then the look ends',
    option: null,
  },
  replyScanSize: {
    value: 64 * KiB,
    unit: 'bytes',
    about: 'a larger file is left out of that look',
    option: null,
  },
  closeTimeout: {
    value: 5_000,
    unit: 'ms',
    about: 'time to wait for the other side of a stream to close',
    option: null,
  },
  closeLinger: {
    value: 500,
    unit: 'ms',
    about:
      'time a peer has to read its last answers before this side closes; a daemon may drop them at a close',
    option: null,
  },
  stopTimeout: {
    value: 5_000,
    unit: 'ms',
    about: 'time a service has for stop(); frames that have arrived whole are answered within it',
    option: null,
  },
  reconnectMin: {
    value: 100,
    unit: 'ms',
    about:
      'first pause before a lost daemon, or the peer of a lost transfer, is tried again; doubled at each failure',
    option: null,
  },
  reconnectMax: {
    value: 10_000,
    unit: 'ms',
    about: 'longest pause before a lost daemon, or the peer of a lost transfer, is tried again',
    option: null,
  },
  fileStreamChunk: {
    value: 48 * KiB,
    unit: 'bytes',
    about: 'data of one chunk of a file transfer',
    option: null,
  },
  fileStreamWindow: {
    value: 16,
    unit: 'count',
    about: 'chunks of a transfer that the receiver has not acknowledged; then the sender waits',
    option: null,
  },
  initAckTimeout: {
    value: 5_000,
    unit: 'ms',
    about:
      'time for the answer to a transfer’s INIT; a peer that never gave one does not speak FILESTREAM and gets one FILE frame',
    option: null,
  },
  uploadStall: {
    value: 60_000,
    unit: 'ms',
    about: 'a file transfer without progress for this long is given up by its sender',
    option: 'timeoutMs of transferFile()',
  },
  uploadTries: {
    value: 10,
    unit: 'count',
    about: 'connections in a row on which a file transfer came no further; then it has failed',
    option: null,
  },
  uploadHashRate: {
    value: 32 * MiB,
    unit: 'bytes',
    about:
      'bytes a second that a receiver is given time to check, on top of uploadStall, once it has all of a file',
    option: null,
  },
  ipcMessage: {
    value: MiB,
    unit: 'bytes',
    about: 'largest message on the daemon’s socket; a longer one ends that connection',
    option: null,
  },
  ipcSend: {
    value: 64 * KiB,
    unit: 'bytes',
    about: 'largest piece of a stream put into one message to the daemon',
    option: null,
  },
  streamBuffer: {
    value: MiB,
    unit: 'bytes',
    about: 'bytes of one stream that wait for its reader; then the daemon’s socket is not read for a while',
    option: null,
  },
  streamStall: {
    value: 5_000,
    unit: 'ms',
    about: 'a reader that leaves its stream’s buffer full for this long has its stream reset',
    option: null,
  },
  earlyBytes: {
    value: MiB,
    unit: 'bytes',
    about: 'bytes kept for streams that the daemon has not announced yet',
    option: null,
  },
  unreadFrames: {
    value: 1_024,
    unit: 'count',
    about: 'frames that a client keeps for recv(); then it stops reading until some are taken',
    option: null,
  },
  eventQueue: {
    value: 1_024,
    unit: 'count',
    about: 'events that wait for a slow subscriber; the oldest are dropped then',
    option: null,
  },
  outboxMaxEntries: {
    value: 100_000,
    unit: 'count',
    about: 'messages in an outbox, failed ones included; past that, adding one is refused',
    option: 'maxEntries',
  },
  outboxMaxBytes: {
    value: 1 * GiB,
    unit: 'bytes',
    about: 'bytes in an outbox; files that are referenced, not copied, do not count',
    option: 'maxBytes',
  },
  outboxExpiry: {
    value: 7 * 24 * 3_600_000,
    unit: 'ms',
    about: 'a message that could not be delivered for so long is listed as failed',
    option: 'expiresIn',
  },
  outboxRetryMin: {
    value: 1_000,
    unit: 'ms',
    about: 'time before the second try to reach a peer; it doubles with each one, less up to half at random',
    option: 'retryMin',
  },
  outboxRetryMax: {
    value: 300_000,
    unit: 'ms',
    about: 'longest time between two tries to reach a peer',
    option: 'retryMax',
  },
  outboxDaemonRetryMax: {
    value: 5_000,
    unit: 'ms',
    about: 'longest time between two looks whether the daemon of this machine is back',
    option: null,
  },
  outboxRefusals: {
    value: 5,
    unit: 'count',
    about: 'refusals by a peer after which a message no longer keeps those behind it waiting',
    option: null,
  },
  outboxPeersAtOnce: {
    value: 16,
    unit: 'count',
    about: 'peers that an outbox sends to at once; at most half of them were not reached the last time',
    option: 'peersAtOnce',
  },
  outboxFrameFile: {
    value: 8 * MiB,
    unit: 'bytes',
    about:
      'a file up to this size goes from the outbox in one frame with its message id, so that it arrives once; a larger one in chunks that resume',
    option: null,
  },
  outboxTurn: {
    value: 5_000,
    unit: 'ms',
    about: 'time after which a peer with more to get lets others that wait go first',
    option: null,
  },
  daemonClientStall: {
    value: 10_000,
    unit: 'ms',
    about: 'a client of the embedded daemon that takes none of what waits for it for this long is dropped',
    option: null,
  },
  daemonStreamBuffer: {
    value: 256 * KiB,
    unit: 'bytes',
    about: 'bytes of one stream that the embedded daemon holds; then it does not read the client’s socket',
    option: null,
  },
  daemonRequests: {
    value: 128,
    unit: 'count',
    about: 'unanswered requests of one client of the embedded daemon; then its socket is not read',
    option: null,
  },
  daemonBacklog: {
    value: 128,
    unit: 'count',
    about: 'dials that wait for a client of the embedded daemon that is behind in reading; more are refused',
    option: null,
  },
}

/** The largest payload of a frame unless configured otherwise: 256 MiB (section 1). */
export const MAX_FRAME_SIZE: number = LIMITS.maxFrameSize.value

/**
 * The rule of the original for limits in a config: undefined and zero mean the default, a negative value
 * means off (Infinity).
 *
 * @throws {PluginError} CONFIG_INVALID where it is no number
 */
export function configuredLimit(value: number | undefined, fallback: Limit): number {
  if (value === undefined || value === 0) return fallback.value
  return checkNumber(fallback.option ?? 'a limit', value) < 0 ? Number.POSITIVE_INFINITY : value
}

/**
 * The cap on frames that an option `maxFrameSize` sets, `fallback` where it is left out.
 *
 * @throws {PluginError} CONFIG_INVALID where it is no number: no length is over such a cap
 */
export function frameCap(value: number | undefined, fallback: number = MAX_FRAME_SIZE): number {
  return value === undefined ? fallback : checkNumber('maxFrameSize', value)
}

/**
 * `value`, the option `name`.
 *
 * @throws {PluginError} CONFIG_INVALID where it is no number: nothing is ever over such a limit
 */
export function checkNumber(name: string, value: number): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value
  throw new PluginError('CONFIG_INVALID', `${name} is ${value}; it must be a number`)
}

/**
 * The frame cap that a PILOT_DATAEXCHANGE_MAX_FRAME of `text` sets, or undefined where the variable is
 * absent, no whole number, or outside 64 KiB to 2 GiB (section 1: anything else is ignored).
 */
export function maxFrameSizeFrom(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  const bytes = Number(text)
  return bytes >= LIMITS.maxFrameSizeFloor.value && bytes <= LIMITS.maxFrameSizeCeiling.value
    ? bytes
    : undefined
}
