/**
 * `pilot-dataexchange`: everything that a user of the original finds there, under its TypeScript name, and
 * deliveries with receipts on top. Every name here is public API.
 */

// The condition `no_dataexchange` swaps the service for a stub of the same shape (section 9).
export { Service } from '#service'
export { afterMs, type WaitOptions, withWait } from './async/wait.ts'
export { utf8 } from './bytes.ts'
export { Client, type ClientOptions, type DeliverOptions } from './client/client.ts'
export { type DeliverOnceOptions, deliver } from './client/deliver.ts'
export type { Message } from './client/outgoing.ts'
export type { Receipt } from './client/receipt.ts'
export { type ReplyOptions, ReplyWatch } from './client/replies/reply-watch.ts'
export type { RequestOptions, RequestOutcome } from './client/reply-frame.ts'
export { request } from './client/request.ts'
export type { FileSource, OpenSource, SeekableSource } from './client/source/file-source.ts'
export { openSource } from './client/source/file-source.ts'
export { openToSend } from './client/source/open-to-send.ts'
export { resolveTarget } from './client/target.ts'
export type { TransferProgress } from './client/transfer/progress.ts'
export { transferFile } from './client/transfer/transfer-file.ts'
export type { FileReceipt, FileTransfer, TransferOptions } from './client/transfer/transfer-types.ts'
export { rfc3339, wallClockNs } from './clock.ts'
export { ERROR_CODES, type ErrorCode, type ErrorEntry } from './error-codes.ts'
export {
  AddressError,
  AnswerError,
  DeliveryError,
  DriverError,
  MailboxError,
  OutboxError,
  PilotError,
  PluginError,
  WireError,
} from './errors.ts'
export { MAX_FRAME_SIZE } from './frame-limits.ts'
export { defaultHome } from './home.ts'
export { type DefaultLimits, LIMITS, type Limit, type LimitName } from './limits.ts'
export type { Logger, LogLine } from './logger.ts'
export type { MailboxConfig } from './mailbox/config.ts'
export type { ConsumerOptions, MessagesOptions, NextOptions } from './mailbox/consumers/consumer-options.ts'
export { InboxConsumer } from './mailbox/consumers/inbox-consumer.ts'
export type { LeasedMessage } from './mailbox/consumers/leased-message.ts'
export type { DamagedMessage, InboxMessage } from './mailbox/inbox/read.ts'
export { Mailbox } from './mailbox/mailbox.ts'
export { defaultMaxFrameSize } from './max-frame-size.ts'
export type { AddOptions } from './outbox/add/adder.ts'
export type { OutboxEntry } from './outbox/entry/describe-entry.ts'
export type { TryError } from './outbox/entry/state.ts'
export { Outbox, type OutboxCounts, type OutboxOptions, type RunOptions } from './outbox/outbox.ts'
export type { OutboxEvents } from './outbox/outbox-events.ts'
export type { Network } from './outbox/run/lazy-network.ts'
export {
  Address,
  BROADCAST_NODE,
  formatSocketAddress,
  parseAddress,
  parseSocketAddress,
  type SocketAddress,
} from './pilot/address.ts'
export { Driver } from './pilot/driver.ts'
export type { NodeInfo } from './pilot/node-info.ts'
export { defaultSocketPath } from './pilot/socket-path.ts'
export {
  DATA_EXCHANGE_PORT,
  type Identity,
  type Listener,
  type Resolver,
  type Stream,
  type Streams,
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
export type { AcceptHook, AcceptRequest, AdmissionRules } from './service/peers/admission.ts'
export type { Rates } from './service/peers/rate-limiter.ts'
export type { AnswerHook, AnswerRequest } from './service/requests/answering.ts'
export { type FrameHandler, Server, type ServerOptions } from './service/server.ts'
export type { ServiceConfig } from './service/service.ts'
export { systemCode } from './system-errors.ts'
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
