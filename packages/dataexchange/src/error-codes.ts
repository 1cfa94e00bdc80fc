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
    meaning: 'a frame cannot be written: its type is not a u32, or its body has another length than declared',
    toPeer: null,
  },
  DECODER_FAILED: {
    class: 'WireError',
    meaning: 'bytes were pushed into a decoder that has failed or ended; use a new decoder for each stream',
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
    meaning: 'the answer to a TRACE is not a JSON object with its timestamps',
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
      'a message id does not consist of 1 to 128 characters of A-Z a-z 0-9 - _ . :; newMessageId() creates one',
    toPeer: 'malformed message id',
  },
  FILE_STREAM_INVALID: {
    class: 'WireError',
    meaning: 'a FILESTREAM frame is too short, or has an invalid kind, size or transfer id',
    toPeer: 'malformed FILESTREAM frame',
  },
  UNSUPPORTED_TYPE: {
    class: 'WireError',
    meaning: 'a frame has a type that this receiver does not store',
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
    meaning: 'a program that is not a Pilot daemon answers on the socket; check the socket path',
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
    meaning: 'the AbortSignal of the caller fired; its reason is the cause',
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
    meaning:
      'a stream was reset because its reader left its buffer full for too long while other streams waited',
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
    meaning: 'the receiver sent an invalid answer',
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
      'the receiver accepted a request and sent no reply: its answer failed, or the connection ended first; the receiver does not store the request',
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
    meaning: 'the answer hook gave no reply in time (replyTimeoutMs)',
    toPeer: 'the answer took too long',
  },
  ANSWER_UNFIT: {
    class: 'AnswerError',
    meaning: 'a reply is not text in UTF-8, or is larger than a frame or than the output limit of a command',
    toPeer: 'the reply cannot be sent',
  },
  ANSWER_STOPPED: {
    class: 'AnswerError',
    meaning: 'an answer was cancelled because the service stops or the peer has left',
    toPeer: 'the service stops answering',
  },
  SOURCE_UNREADABLE: {
    class: 'DeliveryError',
    meaning:
      'a file to send is missing, not readable or not a regular file, or a folder to send contains such a file or too many entries',
    toPeer: null,
  },
  SOURCE_CHANGED: {
    class: 'DeliveryError',
    meaning: 'a file changed while it was sent; the transfer was aborted so that no wrong copy is stored',
    toPeer: null,
  },
  INBOX_FULL: {
    class: 'MailboxError',
    meaning:
      'a message is larger than the inbox (inboxMaxBytes), or the inbox is full and set to refuse new messages (whenFull)',
    toPeer: 'inbox full',
  },
  RECEIVED_FULL: {
    class: 'MailboxError',
    meaning: 'a file does not fit into the received folder (receivedMaxBytes, receivedMaxFiles)',
    toPeer: 'received folder full',
  },
  ARCHIVE_INVALID: {
    class: 'MailboxError',
    meaning:
      'the archive of a folder is not unpacked: it is damaged, differs from its manifest, or has unsafe paths or entries; the archive is kept',
    toPeer: null,
  },
  STORE_FAILED: {
    class: 'MailboxError',
    meaning: 'the file system refused to store a frame; the cause says why',
    toPeer: 'storage error',
  },
  TRANSFERS_FULL: {
    class: 'MailboxError',
    meaning: 'a file arrives in chunks while too many others do; try again later',
    toPeer: 'too many transfers at once',
  },
  TRANSFER_CLOSED: {
    class: 'MailboxError',
    meaning:
      'a transfer has ended: a newer connection of its sender continues it, it made no progress, or it failed',
    toPeer: 'the transfer is closed',
  },
  TRANSFER_INCOMPLETE: {
    class: 'MailboxError',
    meaning: 'the sender of a file in chunks sent DONE before all bytes had arrived',
    toPeer: 'bytes are missing',
  },
  TRANSFER_CORRUPT: {
    class: 'MailboxError',
    meaning: 'a file that arrived in chunks has another SHA-256 than announced; it was removed',
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
      'the lease of a message expired before it was extended or released, and another consumer may have the message; use longer leases, or extend() in time',
    toPeer: null,
  },
  OUTBOX_FULL: {
    class: 'OutboxError',
    meaning:
      'the outbox has reached its limit of entries or bytes; wait for deliveries, remove failed entries, or raise the limits',
    toPeer: null,
  },
  OUTBOX_DUPLICATE: {
    class: 'OutboxError',
    meaning: 'a message with this id is already in the outbox; it will be sent, or is listed as failed',
    toPeer: null,
  },
  OUTBOX_UNKNOWN: {
    class: 'OutboxError',
    meaning: 'the outbox has no entry with this id: it was delivered or removed, or never existed',
    toPeer: null,
  },
  OUTBOX_DAMAGED: {
    class: 'OutboxError',
    meaning: 'the file of an outbox entry is truncated or was changed; it is set aside and never sent',
    toPeer: null,
  },
  OUTBOX_EXPIRED: {
    class: 'OutboxError',
    meaning: 'an outbox entry was not delivered before it expired; retry() gives it the same time again',
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
      'a service was registered after the registry had started, or the registry was started twice; register all services, then start once',
    toPeer: null,
  },
  SERVICE_DUPLICATE: {
    class: 'PluginError',
    meaning: 'two services of one name were registered',
    toPeer: null,
  },
  SERVICE_START_FAILED: {
    class: 'PluginError',
    meaning: 'a service threw in start(); the services started before it were stopped',
    toPeer: null,
  },
  SERVICE_STOP_FAILED: {
    class: 'PluginError',
    meaning: 'one or more services threw in stop(), or took longer than 5 s; the others were stopped',
    toPeer: null,
  },
  CONFIG_INVALID: {
    class: 'PluginError',
    meaning: 'an option has an invalid value; the message names it',
    toPeer: null,
  },
} satisfies { [C in keyof CodesByClass as CodesByClass[C]]: ErrorEntry & { class: C } }
