/**
 * `pilot-dataexchange`: the client, the service, the driver, files of any size, and errors. The names of the original
 * are here, too, under their TypeScript form, also those that a subpath exports. Every name here is public API.
 */

// The condition `no_dataexchange` swaps the service for a stub of the same shape `[plugin.stub-chosen]`.
export { Service } from '#service'
export type { WaitOptions } from './async/wait.ts'
export { Client } from './client/client.ts'
export type { ClientOptions, DeliverOptions } from './client/client-options.ts'
export { type DeliverOnceOptions, deliver } from './client/deliver.ts'
export { mayBeStored } from './client/may-be-stored.ts'
export type { Message } from './client/outgoing.ts'
export type { Receipt } from './client/receipt.ts'
export { type ReplyOptions, ReplyWatch } from './client/replies/reply-watch.ts'
export type { RequestOptions, RequestOutcome } from './client/reply-frame.ts'
export { request } from './client/request.ts'
export { ResendingClient, type ResendingClientOptions } from './client/resending-client.ts'
export {
  type FileSource,
  type OpenSource,
  openSource,
  type SeekableSource,
} from './client/source/file-source.ts'
export type { FolderSource } from './client/source/folder-source.ts'
export { type OpenToSendOptions, openToSend, type ToSend } from './client/source/open-to-send.ts'
export { type Hostname, parseTarget, resolveTarget } from './client/target.ts'
export type { TransferProgress } from './client/transfer/progress.ts'
export { transferFile } from './client/transfer/transfer-file.ts'
export type { FileReceipt, FileTransfer, TransferOptions } from './client/transfer/transfer-types.ts'
export { wallClockNs } from './clock.ts'
export { type CodesByClass, ERROR_CODES, type ErrorCode, type ErrorEntry } from './error-codes.ts'
export {
  AbortError,
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
export { defaultMaxFrameSize } from './max-frame-size.ts'
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
export { Runtime } from './plugin/runtime.ts'
export type { PluginService, ServiceDeps } from './plugin/service.ts'
export type { AcceptHook, AcceptRequest, AdmissionRules } from './service/peers/admission.ts'
export type { Rates } from './service/peers/rate-limiter.ts'
export type { AnswerHook, AnswerRequest } from './service/requests/request-answerer.ts'
export { type FrameHandler, Server, type ServerOptions } from './service/server.ts'
export type { ServiceConfig } from './service/service.ts'
export { FrameDecoder } from './wire/decode.ts'
export { encodeFrame } from './wire/encode.ts'
export { type Frame, FrameType, typeName } from './wire/frame.ts'
export { readFrame, writeFrame, writeTraceFrame } from './wire/frame-io.ts'
export { readTracePayload, type TraceFrame } from './wire/trace.ts'
