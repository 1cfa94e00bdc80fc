import { decodeUtf8, isU32, utf8, viewOf } from '../bytes.ts'
import { WireError } from '../errors.ts'
import { frameCap } from '../frame-limits.ts'
import { type EncodeOptions, encodeHeader, type FrameHead } from './encode.ts'
import { FRAME_HEADER_SIZE, type Frame, FrameType } from './frame.ts'
import { checkMessageId } from './message-id.ts'

/** Bytes of the length field before a TAGGED header `[tagged.layout]`. */
export const TAGGED_LENGTH_SIZE = 2
/** Bytes of the inner type after the header. */
export const TAGGED_TYPE_SIZE = 4

/** The ids that a message may have `[tagged.header-keys]`. */
export interface MessageIds {
  /** Chosen by the sender, unique for each message. */
  messageId?: string | undefined
  /** The `messageId` of the message that this one answers. */
  replyTo?: string | undefined
}

/** The content of a TAGGED frame before the inner payload. */
export interface TaggedHead extends MessageIds {
  /** The type of the inner frame; any type but TAGGED. */
  innerType: number
}

/** The content of a TAGGED frame. */
export interface TaggedFrame extends TaggedHead {
  /** The payload of the inner frame, exactly as that type sends it. */
  payload: Uint8Array
}

/**
 * Encodes all bytes before the payload of a frame with ids, as `encodeHeader` does for a frame without. A frame without
 * ids is written untagged `[tagged.untagged]`. Exactly `head.length` bytes must follow.
 *
 * @throws {WireError} FRAME_TOO_LARGE if the whole outer frame is over the cap `[tagged.cap]`; MESSAGE_ID_INVALID;
 * TAGGED_INVALID if the inner frame is a TAGGED frame; the errors of `encodeHeader`
 */
export function encodeTaggedHeader(
  head: FrameHead,
  ids: MessageIds,
  options: EncodeOptions = {},
): Uint8Array {
  if (ids.messageId === undefined && ids.replyTo === undefined) return encodeHeader(head, options)
  checkInnerType(head.type)
  const cap = frameCap(options.maxFrameSize)
  const inner = encodeHeader(head, { maxFrameSize: cap }).subarray(FRAME_HEADER_SIZE)
  const json = utf8(
    JSON.stringify({
      ...(ids.messageId !== undefined && { message_id: checkMessageId(ids.messageId) }),
      ...(ids.replyTo !== undefined && { reply_to: checkMessageId(ids.replyTo) }),
    }),
  )
  const prefixSize = TAGGED_LENGTH_SIZE + json.length + TAGGED_TYPE_SIZE + inner.length
  const outer = encodeHeader(
    { type: FrameType.Tagged, length: prefixSize + head.length },
    { maxFrameSize: cap },
  )

  const header = new Uint8Array(FRAME_HEADER_SIZE + prefixSize)
  const view = viewOf(header)
  header.set(outer)
  view.setUint16(FRAME_HEADER_SIZE, json.length)
  header.set(json, FRAME_HEADER_SIZE + TAGGED_LENGTH_SIZE)
  const typeAt = FRAME_HEADER_SIZE + TAGGED_LENGTH_SIZE + json.length
  view.setUint32(typeAt, head.type)
  header.set(inner, typeAt + TAGGED_TYPE_SIZE)
  return header
}

/**
 * Returns the length of the header of a TAGGED payload, from the first two bytes of the payload.
 *
 * @throws {WireError} TAGGED_INVALID
 */
export function taggedHeaderLength(start: Uint8Array): number {
  if (start.length < TAGGED_LENGTH_SIZE) throw invalid('the payload ends before its header')
  const length = viewOf(start).getUint16(0)
  if (length === 0 || length > MAX_HEADER) {
    throw invalid(`its header has ${length} bytes; 1 to ${MAX_HEADER} are allowed`)
  }
  return length
}

/**
 * Decodes the head of a TAGGED payload from `bytes`, which begin after the length field: the header and the inner
 * type. A null or empty id counts as absent `[tagged.empty-id]`.
 *
 * @throws {WireError} TAGGED_INVALID; MESSAGE_ID_INVALID if an id is not valid
 */
export function decodeTaggedHead(bytes: Uint8Array, headerLength: number): TaggedHead {
  if (bytes.length < headerLength + TAGGED_TYPE_SIZE) throw invalid('the payload ends inside its header')
  const { message_id: messageId, reply_to: replyTo } = parseHeader(bytes.subarray(0, headerLength))
  const innerType = viewOf(bytes).getUint32(headerLength)
  checkInnerType(innerType)
  return { ...idField('messageId', messageId), ...idField('replyTo', replyTo), innerType }
}

/**
 * Decodes the payload of a TAGGED frame.
 *
 * @throws {WireError} TAGGED_INVALID, MESSAGE_ID_INVALID
 */
export function readTaggedPayload(frame: Frame): TaggedFrame {
  const length = taggedHeaderLength(frame.payload)
  const rest = frame.payload.subarray(TAGGED_LENGTH_SIZE)
  return { ...decodeTaggedHead(rest, length), payload: rest.subarray(length + TAGGED_TYPE_SIZE) }
}

const MAX_HEADER = 1024

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  const text = decodeUtf8(bytes)
  let header: unknown
  try {
    header = text === undefined ? undefined : JSON.parse(text)
  } catch {
    header = undefined
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw invalid('its header is not a JSON object')
  }
  return header as Record<string, unknown>
}

function idField(key: keyof MessageIds, value: unknown): MessageIds {
  if (value === undefined || value === null || value === '') return {}
  if (typeof value !== 'string') throw invalid('an id is not a text')
  return { [key]: checkMessageId(value) }
}

function checkInnerType(type: number): void {
  if (!isU32(type)) throw invalid(`the inner type ${type} is not a 32-bit number`)
  if (type === FrameType.Tagged) throw invalid('it holds another TAGGED frame')
}

function invalid(why: string): WireError {
  return new WireError('TAGGED_INVALID', `a TAGGED frame cannot be read or written: ${why}`)
}
