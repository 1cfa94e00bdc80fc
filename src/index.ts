/**
 * `pilot-dataexchange`: everything that a user of the original finds there, under its TypeScript name, and
 * deliveries with receipts on top. Every name here is public API.
 */

// The condition `no_dataexchange` swaps the service for a stub of the same shape (section 9).
export { Service } from '#service'
export {
  AddressError,
  AnswerError,
  DeliveryError,
  DriverError,
  ERROR_CODES,
  type ErrorCode,
  type ErrorEntry,
  MailboxError,
  OutboxError,
  PilotError,
  PluginError,
  WireError,
} from './errors.ts'
export type { AcceptHook, AcceptRequest, AdmissionRules } from './exchange/admission.ts'
export type { AnswerHook, AnswerRequest } from './exchange/answering.ts'
export { Client, type ClientOptions, type DeliverOptions } from './exchange/client.ts'
export { type DeliverOnceOptions, deliver } from './exchange/deliver.ts'
export type { FileSource, OpenSource, SeekableSource } from './exchange/file-source.ts'
export type { Message } from './exchange/outgoing.ts'
export type { Rates } from './exchange/rate-limiter.ts'
export type { Receipt } from './exchange/receipt.ts'
export type { RequestOptions, RequestOutcome } from './exchange/reply-frame.ts'
export { type ReplyOptions, ReplyWatch } from './exchange/reply-watch.ts'
export { request } from './exchange/request.ts'
export { type FrameHandler, Server, type ServerOptions } from './exchange/server.ts'
export type { ServiceConfig } from './exchange/service.ts'
export { resolveTarget } from './exchange/target.ts'
export type { TransferProgress } from './exchange/transfer/progress.ts'
export { transferFile } from './exchange/transfer/transfer-file.ts'
export type { FileReceipt, FileTransfer, TransferOptions } from './exchange/transfer/transfer-types.ts'
export { LIMITS, type Limit, type LimitName, MAX_FRAME_SIZE } from './limits.ts'
export type { Logger, LogLine } from './logger.ts'
export type { DamagedMessage, InboxMessage } from './mailbox/browse-inbox.ts'
export {
  type ConsumerOptions,
  InboxConsumer,
  type MessagesOptions,
  type NextOptions,
} from './mailbox/inbox-consumer.ts'
export type { LeasedMessage } from './mailbox/leased-message.ts'
export { Mailbox, type MailboxConfig } from './mailbox/mailbox.ts'
export type { AddOptions } from './outbox/adder.ts'
export type { TryError } from './outbox/entry-state.ts'
export type { Network } from './outbox/lazy-network.ts'
export { Outbox, type OutboxCounts, type OutboxOptions, type RunOptions } from './outbox/outbox.ts'
export type { OutboxEntry } from './outbox/outbox-entry.ts'
export type { OutboxEvents } from './outbox/outbox-events.ts'
export {
  Address,
  BROADCAST_NODE,
  formatSocketAddress,
  parseAddress,
  parseSocketAddress,
  type SocketAddress,
} from './pilot/address.ts'
export { Driver } from './pilot/driver.ts'
export {
  DATA_EXCHANGE_PORT,
  type Identity,
  type Listener,
  type Resolver,
  type Stream,
  type Streams,
  type WaitOptions,
} from './pilot/transport.ts'
export {
  type DataExchangeEvents,
  EventBus,
  type EventListener,
  type PublishedEvent,
} from './plugin/events.ts'
export { ServiceRegistry } from './plugin/registry.ts'
export { Runtime, type RuntimeDriver, type RuntimeOptions } from './plugin/runtime.ts'
export type { PluginService, ServiceDeps, TrustChecker } from './plugin/service.ts'
export { FrameDecoder } from './wire/decode.ts'
export type { EncodeOptions } from './wire/encode.ts'
export { encodeFrame } from './wire/encode.ts'
export { type Frame, FrameType, typeName } from './wire/frame.ts'
export {
  type ByteTarget,
  readFrame,
  type WriteOptions,
  writeFrame,
  writeFrameFrom,
  writeTraceFrame,
} from './wire/frame-io.ts'
export type { DecodeOptions } from './wire/frame-parser.ts'
export { isMessageId, newMessageId } from './wire/message-id.ts'
export type { ByteSource } from './wire/read-chunk.ts'
export { type MessageIds, readTaggedPayload, type TaggedFrame, type TaggedHead } from './wire/tagged.ts'
export { readTracePayload, type TraceAnswer, type TraceFrame } from './wire/trace.ts'
