/** Bytes before every payload: `[u32 type][u32 length]`, big-endian `[frame.header]`. */
export const FRAME_HEADER_SIZE = 8

/** The frame types of data exchange `[frame.types]`. 8 and 9 are retired; every other number is unknown. */
export const FrameType = {
  /** UTF-8 text. */
  Text: 1,
  /** Any bytes. */
  Binary: 2,
  /** A JSON document, as bytes; receivers do not parse it. */
  JSON: 3,
  /** The name and the bytes of a file. */
  File: 4,
  /** Another frame and the time it was sent; the answer has timestamps. */
  Trace: 5,
  /** Text whose reply is expected on the same connection. */
  AutoAnswer: 6,
  /** One message of a chunked, resumable file transfer. */
  FileStream: 7,
  /** Another frame with a header of message ids. */
  Tagged: 10,
} as const

/** One of the numbers of {@link FrameType}. */
export type FrameType = (typeof FrameType)[keyof typeof FrameType]

/** One complete frame. */
export interface Frame {
  /** A {@link FrameType}, or any other u32: unknown types are kept `[frame.unknown-whole]`. */
  type: number
  /** The payload; for FILE without the name. It may be a view of a larger buffer: copy it to keep it for long. */
  payload: Uint8Array
  /**
   * FILE only: the name of the file. It is empty if the sender gave none, and undefined if the declared name does not
   * fit into the payload; the payload then includes the length field.
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

/** Returns the name of a frame type in answers and inbox files: `TEXT`, ..., or `UNKNOWN(n)` `[frame.unknown-name]`. */
export function typeName(type: number): string {
  return NAMES.get(type) ?? `UNKNOWN(${type})`
}
