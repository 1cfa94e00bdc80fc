import { concat, isU32, utf8, viewOf } from '../bytes.ts'
import { WireError } from '../errors.ts'
import { type Frame, FrameType } from './frame.ts'

/** Bytes before the inner payload of a TRACE: `[u32 inner type][i64 sent_at_ns]` `[frame.trace-layout]`. */
export const TRACE_HEADER_SIZE = 12

/** The content of a TRACE frame. */
export interface TraceFrame {
  /** The time it was sent, in nanoseconds since the Unix epoch; signed, 64 bits. */
  sentAtNs: bigint
  /** The type of the inner frame. */
  innerType: number
  /** The payload of the inner frame, exactly as that type sends it. */
  payload: Uint8Array
}

/** The header of a TRACE payload. */
export type TraceHead = Omit<TraceFrame, 'payload'>

/**
 * The answer to a TRACE: times in nanoseconds since the Unix epoch, and the answer to the inner frame
 * `[ack.trace-fields]`.
 */
export interface TraceAnswer {
  sentAtNs: bigint
  receivedAtNs: bigint
  inboxWrittenAtNs: bigint
  ackSentAtNs: bigint
  innerAck: string
}

/**
 * Encodes `trace` as a TRACE frame.
 *
 * @throws {WireError} FRAME_INVALID if a number does not fit its field
 */
export function traceToFrame(trace: TraceFrame): Frame {
  if (!isU32(trace.innerType) || BigInt.asIntN(64, trace.sentAtNs) !== trace.sentAtNs) {
    throw new WireError(
      'FRAME_INVALID',
      `a trace of type ${trace.innerType} sent at ${trace.sentAtNs} ns: the type must fit 32 bits, the time 64`,
    )
  }
  const head = new Uint8Array(TRACE_HEADER_SIZE)
  const view = viewOf(head)
  view.setUint32(0, trace.innerType)
  view.setBigInt64(4, trace.sentAtNs)
  return { type: FrameType.Trace, payload: concat([head, trace.payload]) }
}

/**
 * Decodes the first 12 bytes of a TRACE payload.
 *
 * @throws {WireError} TRACE_TOO_SHORT
 */
export function decodeTraceHead(bytes: Uint8Array): TraceHead {
  if (bytes.length < TRACE_HEADER_SIZE) {
    throw new WireError(
      'TRACE_TOO_SHORT',
      `a TRACE payload has at least ${TRACE_HEADER_SIZE} bytes, not ${bytes.length}`,
    )
  }
  const view = viewOf(bytes)
  return { innerType: view.getUint32(0), sentAtNs: view.getBigInt64(4) }
}

/**
 * Decodes the payload of a TRACE frame. It corresponds to `ReadTracePayload` of the original.
 *
 * @throws {WireError} TRACE_TOO_SHORT
 */
export function readTracePayload(frame: Frame): TraceFrame {
  return { ...decodeTraceHead(frame.payload), payload: frame.payload.subarray(TRACE_HEADER_SIZE) }
}

/** Encodes the answer to a TRACE as JSON. JSON.stringify cannot write integers beyond 2^53 `[ack.trace-exact]`. */
export function encodeTraceAnswer(answer: TraceAnswer): Uint8Array {
  return utf8(
    `{"sent_at_ns":${answer.sentAtNs},"received_at_ns":${answer.receivedAtNs}` +
      `,"inbox_written_at_ns":${answer.inboxWrittenAtNs},"ack_sent_at_ns":${answer.ackSentAtNs}` +
      `,"inner_ack":${JSON.stringify(answer.innerAck)}}`,
  )
}

/**
 * Decodes the answer to a TRACE from its JSON, with exact integers.
 *
 * @throws {WireError} TRACE_ANSWER_INVALID
 */
export function decodeTraceAnswer(json: string): TraceAnswer {
  try {
    const fields = JSON.parse(integersAsStrings(json)) as Record<string, unknown>
    if (typeof fields.inner_ack !== 'string') throw new TypeError('inner_ack is not a string')
    return {
      sentAtNs: timestamp(fields.sent_at_ns),
      receivedAtNs: timestamp(fields.received_at_ns),
      inboxWrittenAtNs: timestamp(fields.inbox_written_at_ns),
      ackSentAtNs: timestamp(fields.ack_sent_at_ns),
      innerAck: fields.inner_ack,
    }
  } catch (cause) {
    throw new WireError('TRACE_ANSWER_INVALID', 'the answer to the trace is not its JSON of timestamps', {
      cause,
    })
  }
}

function timestamp(field: unknown): bigint {
  if (typeof field !== 'string' || !/^-?\d{1,19}$/.test(field))
    throw new TypeError('a timestamp is not an integer')
  return BigInt(field)
}

/**
 * Quotes the integers of a JSON text, so that JSON.parse does not round them; strings are not changed. The closing
 * quote is optional in the pattern: otherwise the search would restart at each escaped quote of an unterminated
 * string.
 */
function integersAsStrings(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"?|-?\d+/gs, token => (token.startsWith('"') ? token : `"${token}"`))
}
