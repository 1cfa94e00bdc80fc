/**
 * `pilot-dataexchange/wire`: encodes and decodes the frames of data exchange. It imports no Node module, so it runs in
 * browsers, Deno and Bun. Every name here is public API.
 */

export { DriverError, PilotError, WireError } from '../errors.ts'
export { MAX_FRAME_SIZE } from '../frame-limits.ts'
export {
  type Answer,
  ackText,
  duplicateText,
  errText,
  parseAnswer,
  traceErrText,
  unsupportedText,
} from './ack.ts'
export { FrameDecoder } from './decode.ts'
export { type EncodeOptions, encodeFrame, encodeHeader, type FrameHead } from './encode.ts'
export {
  decodeFileStream,
  encodeFileStream,
  FileStreamKind,
  type FileStreamMessage,
} from './file-stream.ts'
export { FRAME_HEADER_SIZE, type Frame, FrameType, typeName } from './frame.ts'
export {
  type ByteTarget,
  readFrame,
  type WriteOptions,
  writeFrame,
  writeFrameFrom,
  writeTraceFrame,
} from './frame-io.ts'
export { type DecodeOptions, FrameParser, type FrameSink, type ParserState } from './frame-parser.ts'
export { isMessageId, newMessageId } from './message-id.ts'
export type { ByteSource } from './read-chunk.ts'
export {
  encodeTaggedHeader,
  type MessageIds,
  readTaggedPayload,
  type TaggedFrame,
  type TaggedHead,
} from './tagged.ts'
export {
  decodeTraceAnswer,
  encodeTraceAnswer,
  readTracePayload,
  TRACE_HEADER_SIZE,
  type TraceAnswer,
  type TraceFrame,
  traceToFrame,
} from './trace.ts'
