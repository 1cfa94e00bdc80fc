/** One frame, as {@link readWire} finds it. */
export interface WireFrame {
  readonly type: number
  readonly payload: Buffer
  /** FILE only; undefined where the payload has no room for the name it declares. */
  readonly name?: Buffer
}

/** How a stream of bytes ends: at a boundary, within a frame, or with the error of what comes next. */
export type WireEnd =
  | 'clean'
  | 'FRAME_TRUNCATED'
  | 'FRAME_TOO_LARGE'
  | 'FILENAME_TOO_LONG'
  | 'FILENAME_NOT_UTF8'
  | 'FILENAME_UNSAFE'

/**
 * Reads a stream of bytes by the words of section 1, all at once and with nothing of the library: what a
 * receiver must find in it.
 */
export function readWire(bytes: Buffer, cap: number): { frames: WireFrame[]; end: WireEnd } {
  const frames: WireFrame[] = []
  for (let at = 0; at < bytes.length; ) {
    const rest = bytes.subarray(at)
    const frame = readOne(rest, cap)
    if (typeof frame === 'string') return { frames, end: frame }
    frames.push(frame)
    at += wireSize(frame)
  }
  return { frames, end: 'clean' }
}

/** `frame` as bytes, a name that lies included. */
export function writeWire(frame: WireFrame): Buffer {
  const { type, payload, name } = frame
  // All of it is written.
  const bytes = Buffer.allocUnsafe(wireSize(frame))
  bytes.writeUInt32BE(type, 0)
  bytes.writeUInt32BE(bytes.length - HEADER, 4)
  if (name !== undefined) {
    bytes.writeUInt16BE(name.length, HEADER)
    bytes.set(name, HEADER + NAME_LENGTH)
  }
  bytes.set(payload, bytes.length - payload.length)
  return bytes
}

const HEADER = 8
const NAME_LENGTH = 2
const FILE = 4
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** How many bytes {@link writeWire} gives. */
export function wireSize({ payload, name }: WireFrame): number {
  return HEADER + payload.length + (name === undefined ? 0 : NAME_LENGTH + name.length)
}

function readOne(bytes: Buffer, cap: number): WireFrame | WireEnd {
  if (bytes.length < HEADER) return 'FRAME_TRUNCATED'
  const type = bytes.readUInt32BE(0)
  const length = bytes.readUInt32BE(4)
  if (length > cap) return 'FRAME_TOO_LARGE'
  const body = bytes.subarray(HEADER, HEADER + length)
  const isWhole = body.length === length
  if (type === FILE && length >= NAME_LENGTH) {
    if (body.length < NAME_LENGTH) return 'FRAME_TRUNCATED'
    const nameLength = body.readUInt16BE(0)
    if (NAME_LENGTH + nameLength <= length) {
      if (nameLength > 255) return 'FILENAME_TOO_LONG'
      const name = body.subarray(NAME_LENGTH, NAME_LENGTH + nameLength)
      if (name.length < nameLength) return 'FRAME_TRUNCATED'
      const fault = faultOf(name)
      if (fault !== undefined) return fault
      return isWhole ? { type, payload: body.subarray(NAME_LENGTH + nameLength), name } : 'FRAME_TRUNCATED'
    }
  }
  return isWhole ? { type, payload: body } : 'FRAME_TRUNCATED'
}

function faultOf(name: Buffer): WireEnd | undefined {
  try {
    UTF8.decode(name)
  } catch {
    return 'FILENAME_NOT_UTF8'
  }
  const text = name.toString()
  const isPath = text === '.' || text === '..' || text.includes('/') || text.includes('\\')
  return isPath ? 'FILENAME_UNSAFE' : undefined
}
