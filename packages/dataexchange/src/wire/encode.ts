import { isU32 } from '../bytes.ts'
import { WireError } from '../errors.ts'
import { frameCap } from '../frame-limits.ts'
import { encodeFilePrefix } from './file.ts'
import { FRAME_HEADER_SIZE, type Frame, FrameType } from './frame.ts'

/** Options for writing frames. */
export interface EncodeOptions {
  /** The largest payload, in bytes. @default MAX_FRAME_SIZE (256 MiB) */
  maxFrameSize?: number | undefined
}

/** The head of a frame whose payload follows later, for {@link encodeHeader}. */
export interface FrameHead {
  /** A u32, see {@link FrameType}. */
  type: number
  /** The size of the payload in bytes; for FILE without the name. */
  length: number
  /** FILE only, see {@link Frame.filename}. @default '' */
  filename?: string | undefined
}

/**
 * Encodes a frame. Returns the pieces to write, in order. The last piece is `frame.payload` itself without a copy; it
 * is omitted if it is empty.
 *
 * @throws {WireError} FRAME_TOO_LARGE, FRAME_INVALID, FILENAME_TOO_LONG, FILENAME_UNSAFE
 */
export function encodeFrame(frame: Frame, options: EncodeOptions = {}): Uint8Array[] {
  const { type, payload, filename } = frame
  const header = encodeHeader({ type, filename, length: payload.length }, options)
  return payload.length === 0 ? [header] : [header, payload]
}

/**
 * Encodes all bytes before the payload: the frame header and, for FILE, the name. Use it if the payload is not in
 * memory; exactly `head.length` bytes must follow.
 *
 * @throws {WireError} FRAME_TOO_LARGE, FRAME_INVALID, FILENAME_TOO_LONG, FILENAME_UNSAFE
 */
export function encodeHeader(head: FrameHead, options: EncodeOptions = {}): Uint8Array {
  const { type, length, filename = '' } = head
  if (!isU32(type)) throw new WireError('FRAME_INVALID', `the frame type ${type} is not a 32-bit number`)
  if (!Number.isInteger(length) || length < 0) {
    throw new WireError('FRAME_INVALID', `a payload cannot have ${length} bytes`)
  }
  const prefix = type === FrameType.File ? encodeFilePrefix(filename) : NO_PREFIX
  const total = prefix.length + length
  checkSize(total, frameCap(options.maxFrameSize))

  const header = new Uint8Array(FRAME_HEADER_SIZE + prefix.length)
  putU32(header, 0, type)
  putU32(header, 4, total)
  if (prefix.length > 0) header.set(prefix, FRAME_HEADER_SIZE)
  return header
}

/** Faster than a new DataView. */
function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function checkSize(total: number, cap: number): void {
  if (!isU32(total))
    throw new WireError('FRAME_TOO_LARGE', `a payload of ${total} bytes does not fit into a frame`)
  if (total > cap) {
    throw new WireError('FRAME_TOO_LARGE', `the frame's payload has ${total} bytes; the cap is ${cap}`)
  }
}

const NO_PREFIX = new Uint8Array(0)
