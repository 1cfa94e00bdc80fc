/** Bytes before every payload: `[u32 type][u32 length]`, big-endian (section 1). */
export const FRAME_HEADER_SIZE = 8

/** The frame types of data exchange (section 1). 8 and 9 are retired; every other number is unknown. */
export const FrameType = {
  /** UTF-8 text. */
  Text: 1,
  /** Any bytes. */
  Binary: 2,
  /** A JSON document, as bytes; receivers do not parse it. */
  JSON: 3,
  /** A file: its name, then its bytes. */
  File: 4,
  /** Another frame with the time it was sent; answered with timestamps. */
  Trace: 5,
  /** Text that wants its reply on the same connection. */
  AutoAnswer: 6,
  /** One message of a chunked, resumable file transfer. */
  FileStream: 7,
  /** Another frame with a header of message ids. */
  Tagged: 10,
} as const

/** One of the numbers of {@link FrameType}. */
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** One frame, whole. */
export interface Frame {
  /** A {@link FrameType}, or any other u32: unknown types are carried as they are. */
  type: number
  /** The payload; for FILE without the name. May be a view of a larger buffer: copy it to keep it long. */
  payload: Uint8Array
  /**
   * FILE only: the file's name. Empty where the sender gave none; undefined where the payload has no
   * room for the name it declares (the payload is then whole, length field and all).
   */
  filename?: string | undefined
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [FrameType.Text, 'TEXT'],
  [FrameType.Binary, 'BINARY'],
  [FrameType.JSON, 'JSON'],
  [FrameType.File, 'FILE'],
  [FrameType.Trace, 'TRACE'],
  [FrameType.AutoAnswer, 'AUTOANSWER'],
  [FrameType.FileStream, 'FILESTREAM'],
  [FrameType.Tagged, 'TAGGED'],
])

/** The name of a frame type as answers and inbox files spell it: `TEXT`, ..., or `UNKNOWN(n)` (section 1). */
export function typeName(type: number): string {
  return NAMES.get(type) ?? `UNKNOWN(${type})`
}
