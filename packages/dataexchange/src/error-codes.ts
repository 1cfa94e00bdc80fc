/** The codes of each error class. Codes are never renamed or reused. */
export interface CodesByClass {
  WireError:
    | 'FRAME_TOO_LARGE'
    | 'FRAME_TRUNCATED'
    | 'FRAME_INVALID'
    | 'DECODER_FAILED'
    | 'FILENAME_TOO_LONG'
    | 'FILENAME_UNSAFE'
    | 'FILENAME_NOT_UTF8'
    | 'FILENAME_MISSING'
    | 'TRACE_TOO_SHORT'
    | 'TRACE_ANSWER_INVALID'
    | 'TAGGED_INVALID'
    | 'MESSAGE_ID_INVALID'
    | 'FILE_STREAM_INVALID'
    | 'UNSUPPORTED_TYPE'
  AddressError: 'ADDRESS_INVALID'
  DriverError:
    | 'DAEMON_UNAVAILABLE'
    | 'DAEMON_NOT_PILOT'
    | 'DAEMON_GONE'
    | 'DAEMON_REFUSED'
    | 'DIAL_FAILED'
    | 'PORT_IN_USE'
    | 'TIMED_OUT'
    | 'ABORTED'
    | 'DRIVER_CLOSED'
    | 'STREAM_CLOSED'
    | 'STREAM_STALLED'
    | 'SOCKET_IN_USE'
  DeliveryError:
    | 'PEER_REFUSED'
    | 'PEER_UNSUPPORTED'
    | 'ANSWER_TIMED_OUT'
    | 'ANSWER_INVALID'
    | 'CONNECTION_CLOSED'
    | 'REPLY_FAILED'
    | 'REPLY_TIMED_OUT'
    | 'SOURCE_UNREADABLE'
    | 'SOURCE_CHANGED'
  AnswerError: 'ANSWER_FAILED' | 'ANSWER_TOO_SLOW' | 'ANSWER_UNFIT' | 'ANSWER_STOPPED'
  MailboxError:
    | 'INBOX_FULL'
    | 'RECEIVED_FULL'
    | 'ARCHIVE_INVALID'
    | 'STORE_FAILED'
    | 'TRANSFERS_FULL'
    | 'TRANSFER_CLOSED'
    | 'TRANSFER_INCOMPLETE'
    | 'TRANSFER_CORRUPT'
    | 'MAILBOX_CLOSED'
    | 'LEASE_LOST'
  OutboxError:
    | 'OUTBOX_FULL'
    | 'OUTBOX_DUPLICATE'
    | 'OUTBOX_UNKNOWN'
    | 'OUTBOX_DAMAGED'
    | 'OUTBOX_EXPIRED'
    | 'OUTBOX_FAILED'
  PluginError:
    | 'REGISTRY_STARTED'
    | 'SERVICE_DUPLICATE'
    | 'SERVICE_START_FAILED'
    | 'SERVICE_STOP_FAILED'
    | 'CONFIG_INVALID'
}

/** A stable error code: `error.code`. */
export type ErrorCode = CodesByClass[keyof CodesByClass]

/** One row of {@link ERROR_CODES}. */
export interface ErrorEntry {
  /** The name of the class that carries the code. */
  readonly class: keyof CodesByClass
  /** The problem and its remedy, for a person. */
  readonly meaning: string
  /** The text that a peer receives in its ERR answer, or null if the error never answers a frame. */
  readonly toPeer: string | null
}

/**
 * Every error code of the library: its class, its meaning, and the text that a peer receives if its frame
 * fails with it. `docs/errors.md` is generated from this table.
 */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorEntry>> = {
  FRAME_TOO_LARGE: {
    class: 'WireError',
    meaning: 'a frame is larger than the cap; raise maxFrameSize on both sides, or send a file in parts',
    toPeer: 'frame too large',
  },
  FRAME_TRUNCATED: {
    class: 'WireError',
    meaning: 'the stream ended inside a frame; the sender died or the connection was cut',
    toPeer: 'truncated frame',
  },
  FRAME_INVALID: {
    class: 'WireError',
    meaning:
      'a frame cannot be written as it is: its type is no u32, or a body gave another length than declared',
    toPeer: null,
  },
  DECODER_FAILED: {
    class: 'WireError',
    meaning:
      'bytes were pushed into a decoder that has already failed or ended; make a new one for each stream',
    toPeer: null,
  },
  FILENAME_TOO_LONG: {
    class: 'WireError',
    meaning: 'a file name is longer than 255 bytes of UTF-8; send it under a shorter one',
    toPeer: 'file name too long',
  },
  FILENAME_UNSAFE: {
    class: 'WireError',
    meaning: 'a file name holds / or \\, or is . or ..; send the base name only',
    toPeer: 'unsafe file name',
  },
  FILENAME_NOT_UTF8: {
    class: 'WireError',
    meaning: 'a file name is not valid UTF-8',
    toPeer: 'file name is not UTF-8',
  },
  FILENAME_MISSING: {
    class: 'WireError',
    meaning: 'a FILE payload has no room for the file name it declares',
    toPeer: 'malformed file name',
  },
  TRACE_TOO_SHORT: {
    class: 'WireError',
    meaning: 'a TRACE payload is shorter than its 12-byte header',
    toPeer: 'trace payload too short',
  },
  TRACE_ANSWER_INVALID: {
    class: 'WireError',
    meaning: 'the answer to a TRACE is not the JSON object of timestamps that it should be',
    toPeer: null,
  },
  TAGGED_INVALID: {
    class: 'WireError',
    meaning: 'a TAGGED frame has no readable header, or holds another TAGGED frame',
    toPeer: 'malformed TAGGED frame',
  },
  MESSAGE_ID_INVALID: {
    class: 'WireError',
    meaning:
      'a message id is not made of 1 to 128 characters of A-Z a-z 0-9 - _ . :; newMessageId() makes one',
    toPeer: 'malformed message id',
  },
  FILE_STREAM_INVALID: {
    class: 'WireError',
    meaning:
      'a FILESTREAM frame is too short, names a kind or a size that cannot be, or an id that is no hash',
    toPeer: 'malformed FILESTREAM frame',
  },
  UNSUPPORTED_TYPE: {
    class: 'WireError',
    meaning: 'a frame of a type that this receiver does not store',
    toPeer: 'unsupported frame type',
  },
  ADDRESS_INVALID: {
    class: 'AddressError',
    meaning: 'a text is not an address N:NNNN.HHHH.LLLL (or, with a port, N:NNNN.HHHH.LLLL:PORT)',
    toPeer: null,
  },
  DAEMON_UNAVAILABLE: {
    class: 'DriverError',
    meaning:
      'no daemon answers on the socket; start one (pilot-dx serve, or pilot-daemon), or name its socket',
    toPeer: null,
  },
  DAEMON_NOT_PILOT: {
    class: 'DriverError',
    meaning: 'what answers on the socket does not speak the Pilot daemon protocol; check the socket path',
    toPeer: null,
  },
  DAEMON_GONE: {
    class: 'DriverError',
    meaning: 'the daemon went away while a call or a stream was open',
    toPeer: null,
  },
  DAEMON_REFUSED: {
    class: 'DriverError',
    meaning: 'the daemon answered a request with an error; the message is the daemon’s',
    toPeer: null,
  },
  DIAL_FAILED: {
    class: 'DriverError',
    meaning: 'the daemon could not connect to the peer; the message is the daemon’s reason',
    toPeer: null,
  },
  PORT_IN_USE: {
    class: 'DriverError',
    meaning: 'the port is already bound on this node, most likely by the daemon’s own data exchange service',
    toPeer: null,
  },
  TIMED_OUT: {
    class: 'DriverError',
    meaning: 'the daemon or the peer did not answer in time',
    toPeer: null,
  },
  ABORTED: {
    class: 'DriverError',
    meaning: 'the caller’s AbortSignal fired; its reason is the cause',
    toPeer: null,
  },
  DRIVER_CLOSED: {
    class: 'DriverError',
    meaning: 'the driver or the listener was closed by this process',
    toPeer: null,
  },
  STREAM_CLOSED: {
    class: 'DriverError',
    meaning: 'bytes were written to a stream that the peer or this side has closed',
    toPeer: null,
  },
  STREAM_STALLED: {
    class: 'DriverError',
    meaning: 'a stream was reset because its reader left its buffer full for too long while others waited',
    toPeer: null,
  },
  SOCKET_IN_USE: {
    class: 'DriverError',
    meaning: 'a live daemon already serves the socket; use it, or name another socket',
    toPeer: null,
  },
  PEER_REFUSED: {
    class: 'DeliveryError',
    meaning: 'the receiver answered ERR: it did not store the frame; the message is its reason',
    toPeer: null,
  },
  PEER_UNSUPPORTED: {
    class: 'DeliveryError',
    meaning: 'the receiver does not know the frame’s type and did not store it',
    toPeer: null,
  },
  ANSWER_TIMED_OUT: {
    class: 'DeliveryError',
    meaning: 'no answer came in time; the frame may or may not have been stored',
    toPeer: null,
  },
  ANSWER_INVALID: {
    class: 'DeliveryError',
    meaning: 'the receiver answered with something that is no answer to a frame',
    toPeer: null,
  },
  CONNECTION_CLOSED: {
    class: 'DeliveryError',
    meaning: 'the connection ended before the answer came; the frame may or may not have been stored',
    toPeer: null,
  },
  REPLY_FAILED: {
    class: 'DeliveryError',
    meaning:
      'the receiver took a request and gave no reply: its answer failed, or the connection ended first; the request is not stored there',
    toPeer: null,
  },
  REPLY_TIMED_OUT: {
    class: 'DeliveryError',
    meaning: 'a message was acknowledged, but no reply to it came in time',
    toPeer: null,
  },
  ANSWER_FAILED: {
    class: 'AnswerError',
    meaning: 'the answer hook, or the command of serve --answer, failed; the cause or the message says how',
    toPeer: 'the answer failed',
  },
  ANSWER_TOO_SLOW: {
    class: 'AnswerError',
    meaning: 'the answer hook gave no reply in time (replyTimeout)',
    toPeer: 'the answer took too long',
  },
  ANSWER_UNFIT: {
    class: 'AnswerError',
    meaning: 'a reply is no text in UTF-8, or larger than a frame, or than a command may print',
    toPeer: 'the reply cannot be sent',
  },
  ANSWER_STOPPED: {
    class: 'AnswerError',
    meaning: 'an answer was given up because the service stops, or the peer has left',
    toPeer: 'the service stops answering',
  },
  SOURCE_UNREADABLE: {
    class: 'DeliveryError',
    meaning:
      'a file to send is missing, not readable, or not a regular file; or a folder to send holds such, or too much',
    toPeer: null,
  },
  SOURCE_CHANGED: {
    class: 'DeliveryError',
    meaning: 'a file changed while it was being sent; the transfer was cut so that no wrong copy is stored',
    toPeer: null,
  },
  INBOX_FULL: {
    class: 'MailboxError',
    meaning:
      'a message is larger than all that the inbox may hold (inboxMaxBytes), or the inbox is full and set to refuse (whenFull)',
    toPeer: 'inbox full',
  },
  RECEIVED_FULL: {
    class: 'MailboxError',
    meaning: 'a file does not fit what the received folder may hold (receivedMaxBytes)',
    toPeer: 'received folder full',
  },
  ARCHIVE_INVALID: {
    class: 'MailboxError',
    meaning:
      'the archive of a folder is not unpacked: it is damaged, not what its manifest says, or has paths or entries that are not safe; it stays as it is',
    toPeer: null,
  },
  STORE_FAILED: {
    class: 'MailboxError',
    meaning: 'the file system refused to store a frame; the cause says why',
    toPeer: 'storage error',
  },
  TRANSFERS_FULL: {
    class: 'MailboxError',
    meaning: 'a further file was to come in chunks while as many are coming as may; try again later',
    toPeer: 'too many transfers at once',
  },
  TRANSFER_CLOSED: {
    class: 'MailboxError',
    meaning:
      'a transfer is over: a newer connection of its sender has taken it over, it made no progress, or it has failed',
    toPeer: 'the transfer is closed',
  },
  TRANSFER_INCOMPLETE: {
    class: 'MailboxError',
    meaning: 'the sender of a file in chunks said that it was done before all bytes had come',
    toPeer: 'bytes are missing',
  },
  TRANSFER_CORRUPT: {
    class: 'MailboxError',
    meaning: 'a file that came in chunks has another SHA-256 than announced; what had come was removed',
    toPeer: 'the SHA-256 does not match',
  },
  MAILBOX_CLOSED: {
    class: 'MailboxError',
    meaning: 'the mailbox is not open: the service has been stopped or has not been started',
    toPeer: 'service is stopping',
  },
  LEASE_LOST: {
    class: 'MailboxError',
    meaning:
      'the lease of a message ran out before it was extended or given back, and another consumer may have the message; make leases longer, or extend() in time',
    toPeer: null,
  },
  OUTBOX_FULL: {
    class: 'OutboxError',
    meaning:
      'the outbox holds as many entries or bytes as it may; wait for deliveries, remove failed entries, or raise its limits',
    toPeer: null,
  },
  OUTBOX_DUPLICATE: {
    class: 'OutboxError',
    meaning: 'a message with this id is in the outbox already; it will be sent, or is listed as failed',
    toPeer: null,
  },
  OUTBOX_UNKNOWN: {
    class: 'OutboxError',
    meaning: 'the outbox has no entry with this id: it has been delivered or removed, or never was there',
    toPeer: null,
  },
  OUTBOX_DAMAGED: {
    class: 'OutboxError',
    meaning: 'the file of an outbox entry is cut short or was changed; it is set aside and never sent',
    toPeer: null,
  },
  OUTBOX_EXPIRED: {
    class: 'OutboxError',
    meaning: 'an outbox entry was not delivered in its time; retry() gives it the same time again',
    toPeer: null,
  },
  OUTBOX_FAILED: {
    class: 'OutboxError',
    meaning: 'the file system refused to read or write the outbox; the cause says why',
    toPeer: null,
  },
  REGISTRY_STARTED: {
    class: 'PluginError',
    meaning:
      'a service was registered after the registry had started, or it was started twice; register all, then start once',
    toPeer: null,
  },
  SERVICE_DUPLICATE: {
    class: 'PluginError',
    meaning: 'two services of one name were registered',
    toPeer: null,
  },
  SERVICE_START_FAILED: {
    class: 'PluginError',
    meaning: 'a service threw in start(); those started before it have been stopped again',
    toPeer: null,
  },
  SERVICE_STOP_FAILED: {
    class: 'PluginError',
    meaning: 'one or more services threw in stop(), or took longer than 5 s; the others were stopped',
    toPeer: null,
  },
  CONFIG_INVALID: {
    class: 'PluginError',
    meaning: 'an option has a value it cannot have; the message names it',
    toPeer: null,
  },
} satisfies { [C in keyof CodesByClass as CodesByClass[C]]: ErrorEntry & { class: C } }
