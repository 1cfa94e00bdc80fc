import { decodeUtf8, isU32, utf8, viewOf } from '../bytes.ts'
import { WireError } from '../errors.ts'
import { encodeHeader } from './encode.ts'
import { decodeFileName, encodeFilePrefix, FILE_NAME_LENGTH_SIZE, fileNameLength } from './file.ts'
import { FrameType } from './frame.ts'

/** Bytes of a transfer id: the first bytes of the SHA-256 of the file `[stream.id]`. */
export const TRANSFER_ID_SIZE = 16

/** The numbers of the kinds of FILESTREAM messages on the wire `[stream.kinds]`. */
export const FileStreamKind = {
  init: 1,
  chunk: 2,
  ack: 3,
  done: 4,
  initAck: 5,
  complete: 6,
  abort: 7,
} as const

/** A decoded FILESTREAM frame. `id` is the transfer id; sizes and offsets are in bytes. */
export type FileStreamMessage = { id: Uint8Array } & (
  | { kind: 'init'; size: number; sha256: Uint8Array; chunkSize: number; filename: string }
  | { kind: 'chunk'; offset: number; data: Uint8Array }
  | { kind: 'ack'; received: number }
  | { kind: 'done' }
  | { kind: 'initAck'; offset: number }
  | { kind: 'complete'; ok: boolean; message: string }
  | { kind: 'abort'; message: string }
)

/**
 * Encodes a FILESTREAM frame `[stream.payload]`. Returns the pieces to write, in order; the data of a chunk is not
 * copied.
 *
 * @throws {WireError} FILENAME_TOO_LONG, FILENAME_UNSAFE; FILE_STREAM_INVALID if a number or a hash does not fit its
 * field
 */
export function encodeFileStream(message: FileStreamMessage): Uint8Array[] {
  const body = encodeBody(message)
  const data = message.kind === 'chunk' ? message.data : EMPTY
  checkLength('transfer id', message.id, TRANSFER_ID_SIZE)
  const length = HEAD_SIZE + body.length + data.length
  const head = new Uint8Array([FileStreamKind[message.kind], ...message.id])
  const start = [encodeHeader({ type: FrameType.FileStream, length }), head, body]
  const prefix = new Uint8Array(start.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of start) {
    prefix.set(part, at)
    at += part.length
  }
  return data.length === 0 ? [prefix] : [prefix, data]
}

/**
 * Decodes the number of the kind and the transfer id of a FILESTREAM payload. The rest may still be malformed.
 *
 * @throws {WireError} FILE_STREAM_INVALID if the payload is too short for them
 */
export function readFileStreamHead(payload: Uint8Array): { kind: number; id: Uint8Array } {
  if (payload.length < HEAD_SIZE)
    throw invalid(`its payload has ${payload.length} bytes, not ${HEAD_SIZE} or more`)
  return { kind: payload[0] ?? 0, id: payload.subarray(1, HEAD_SIZE) }
}

/**
 * Decodes a FILESTREAM payload. The data of a chunk is a view of `payload`.
 *
 * @throws {WireError} FILE_STREAM_INVALID if it is too short, has an unknown kind or a number beyond 2^53, or is an
 * INIT whose id is not the start of its hash; FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8
 */
export function decodeFileStream(payload: Uint8Array): FileStreamMessage {
  const { kind, id } = readFileStreamHead(payload)
  const body = payload.subarray(HEAD_SIZE)
  switch (kind) {
    case FileStreamKind.init:
      return { kind: 'init', id, ...decodeInit(id, body) }
    case FileStreamKind.chunk:
      return { kind: 'chunk', id, offset: readU64(body), data: body.subarray(U64_SIZE) }
    case FileStreamKind.ack:
      return { kind: 'ack', id, received: readU64(body) }
    case FileStreamKind.done:
      return { kind: 'done', id }
    case FileStreamKind.initAck:
      return { kind: 'initAck', id, offset: readU64(body) }
    case FileStreamKind.complete:
      if (body.length === 0) throw invalid('a COMPLETE has no status')
      return { kind: 'complete', id, ok: body[0] === 0, message: text(body.subarray(1)) }
    case FileStreamKind.abort:
      return { kind: 'abort', id, message: text(body) }
    default:
      throw invalid(`its kind ${kind} is unknown`)
  }
}

const U64_SIZE = 8
const SHA256_SIZE = 32
const HEAD_SIZE = 1 + TRANSFER_ID_SIZE
/** Bytes of an INIT before its name: `[u64 size][32-byte sha256][u32 chunk size]`. */
const INIT_SIZE = U64_SIZE + SHA256_SIZE + 4
const EMPTY = new Uint8Array(0)

function encodeBody(message: FileStreamMessage): Uint8Array {
  switch (message.kind) {
    case 'init':
      return encodeInit(message)
    case 'chunk':
      return u64(message.offset)
    case 'ack':
      return u64(message.received)
    case 'initAck':
      return u64(message.offset)
    case 'complete':
      return utf8(`${message.ok ? '\0' : '\u0001'}${message.message}`)
    case 'abort':
      return utf8(message.message)
    case 'done':
      return EMPTY
  }
}

function encodeInit(init: Extract<FileStreamMessage, { kind: 'init' }>): Uint8Array {
  checkLength('SHA-256', init.sha256, SHA256_SIZE)
  if (!isU32(init.chunkSize)) throw invalid(`the chunk size ${init.chunkSize} is not a 32-bit number`)
  const name = encodeFilePrefix(init.filename)
  const body = new Uint8Array(INIT_SIZE + name.length)
  body.set(u64(init.size))
  body.set(init.sha256, U64_SIZE)
  viewOf(body).setUint32(U64_SIZE + SHA256_SIZE, init.chunkSize)
  body.set(name, INIT_SIZE)
  return body
}

function decodeInit(
  id: Uint8Array,
  body: Uint8Array,
): Omit<Extract<FileStreamMessage, { kind: 'init' }>, 'kind' | 'id'> {
  const name = body.subarray(INIT_SIZE)
  const nameLength = body.length < INIT_SIZE ? undefined : fileNameLength(name, name.length)
  if (nameLength === undefined) throw invalid('an INIT ends before its end')
  const sha256 = body.subarray(U64_SIZE, U64_SIZE + SHA256_SIZE)
  if (id.some((byte, at) => byte !== sha256[at]))
    throw invalid('the transfer id is not the start of the SHA-256')
  return {
    size: readU64(body),
    sha256,
    chunkSize: viewOf(body).getUint32(U64_SIZE + SHA256_SIZE),
    filename: decodeFileName(name.subarray(FILE_NAME_LENGTH_SIZE, FILE_NAME_LENGTH_SIZE + nameLength)),
  }
}

function u64(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${value} is not a number of bytes`)
  const bytes = new Uint8Array(U64_SIZE)
  viewOf(bytes).setBigUint64(0, BigInt(value))
  return bytes
}

function readU64(bytes: Uint8Array): number {
  if (bytes.length < U64_SIZE) throw invalid('it ends inside a number')
  const value = viewOf(bytes).getBigUint64(0)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`${value} bytes are more than any file has`)
  return Number(value)
}

/** The text of another implementation, only shown to people. */
function text(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? 'a message that is not UTF-8'
}

function checkLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw invalid(`its ${what} has ${bytes.length} bytes, not ${length}`)
}

/** The reason of a decoding error goes over the wire to the sender: its text must not change. */
function invalid(why: string): WireError {
  return new WireError('FILE_STREAM_INVALID', `a FILESTREAM frame cannot be read or written: ${why}`)
}
