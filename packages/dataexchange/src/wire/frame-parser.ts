import { WireError } from '../errors.ts'
import { frameCap } from '../frame-limits.ts'
import type { FrameHead } from './encode.ts'
import { decodeFileName, FILE_NAME_LENGTH_SIZE, fileNameLength } from './file.ts'
import { FRAME_HEADER_SIZE, FrameType } from './frame.ts'

/** Options for reading frames. */
export interface DecodeOptions {
  /**
   * The largest payload, in bytes. A larger frame fails when its header has arrived. @default MAX_FRAME_SIZE (256 MiB)
   */
  maxFrameSize?: number | undefined
}

/** Receives the events of a {@link FrameParser}. The order for each frame is `start`, any number of `data`, `end`. */
export interface FrameSink {
  /** A frame begins. `head.length` is the declared size; no memory is reserved for it. */
  start(head: FrameHead): void
  /** The next bytes of its payload: a view of the chunk that was pushed, never empty. */
  data(piece: Uint8Array): void
  /** The payload is complete. */
  end(): void
}

/**
 * The state of a parser: at or inside a header, inside the name length or the name of a FILE, inside a payload, after
 * an error, after the end.
 */
export type ParserState = 'header' | 'name-length' | 'name' | 'payload' | 'failed' | 'ended'

/**
 * Parses a stream of bytes into frames as the bytes arrive. Input may be split anywhere `[frame.split]`. The parser
 * buffers at most one header and one file name; payloads are passed on piece by piece.
 */
export class FrameParser {
  readonly #sink: FrameSink
  readonly #cap: number
  readonly #small: Uint8Array = new Uint8Array(FRAME_HEADER_SIZE)
  /** The field being collected: a header, a name length or a name. */
  #field: Uint8Array = this.#small
  #fieldUsed = 0
  #state: ParserState = 'header'
  #type = 0
  /** Bytes of the current payload that are still to come. */
  #remaining = 0

  constructor(sink: FrameSink, options: DecodeOptions = {}) {
    this.#sink = sink
    this.#cap = frameCap(options.maxFrameSize)
  }

  /** The state of the parser, see {@link ParserState}. */
  get state(): ParserState {
    return this.#state
  }

  /** Bytes until the end of the current field or payload. Pushing at most these never passes the end of a frame. */
  get wanted(): number {
    return this.#state === 'payload' ? this.#remaining : this.#field.length - this.#fieldUsed
  }

  /** Whether the parser is at a frame boundary, where a stream may end. */
  get atBoundary(): boolean {
    return this.#state === 'header' && this.#fieldUsed === 0
  }

  /**
   * Takes the next bytes of the stream. The sink gets all events before an error first.
   *
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8: the rest of the stream
   * cannot be parsed; DECODER_FAILED if the parser has failed or ended before
   */
  push(chunk: Uint8Array): void {
    if (this.#state === 'failed' || this.#state === 'ended') {
      throw new WireError('DECODER_FAILED', `bytes were pushed after the stream has ${this.#state}`)
    }
    try {
      for (let at = 0; at < chunk.length; ) {
        at = this.#state === 'payload' ? this.#takePayload(chunk, at) : this.#takeField(chunk, at)
      }
    } catch (error) {
      this.#state = 'failed'
      throw error
    }
  }

  /**
   * Ends the stream.
   *
   * @throws {WireError} FRAME_TRUNCATED if the stream ended inside a frame `[frame.truncated]`
   */
  finish(): void {
    if (this.#state === 'failed' || this.#state === 'ended') return
    const clean = this.atBoundary
    const where = this.#state
    this.#state = clean ? 'ended' : 'failed'
    if (!clean) {
      throw new WireError('FRAME_TRUNCATED', `the stream ended inside a frame's ${where.replace('-', ' ')}`)
    }
  }

  /** Consumes bytes of `chunk` from `at` on, and returns the offset of the rest, as {@link #takePayload} does. */
  #takeField(chunk: Uint8Array, at: number): number {
    const size = this.#field.length
    // A header that is complete in the chunk is read in place.
    if (this.#fieldUsed === 0 && chunk.length - at >= size) {
      if (this.#state === 'header') this.#headerComplete(chunk, at)
      else this.#fieldComplete(chunk.subarray(at, at + size))
      return at + size
    }
    const piece = chunk.subarray(at, at + size - this.#fieldUsed)
    this.#field.set(piece, this.#fieldUsed)
    this.#fieldUsed += piece.length
    if (this.#fieldUsed === size) this.#fieldComplete(this.#field)
    return at + piece.length
  }

  #fieldComplete(field: Uint8Array): void {
    if (this.#state === 'header') this.#headerComplete(field, 0)
    else if (this.#state === 'name-length') this.#nameLengthComplete(field)
    else this.#startPayload(decodeFileName(field))
  }

  #headerComplete(bytes: Uint8Array, at: number): void {
    this.#type = u32(bytes, at)
    this.#remaining = u32(bytes, at + 4)
    if (this.#remaining > this.#cap) {
      throw new WireError(
        'FRAME_TOO_LARGE',
        `the frame declares ${this.#remaining} bytes; the cap is ${this.#cap}`,
      )
    }
    if (this.#type === FrameType.File && this.#remaining >= FILE_NAME_LENGTH_SIZE) {
      this.#expect('name-length', FILE_NAME_LENGTH_SIZE)
    } else {
      this.#startPayload()
    }
  }

  #nameLengthComplete(field: Uint8Array): void {
    const length = fileNameLength(field, this.#remaining)
    if (length === undefined) {
      // The field is then part of the payload. It is copied, since its buffer is reused.
      const asData = field.slice()
      this.#startPayload()
      this.#takePayload(asData, 0)
      return
    }
    this.#remaining -= FILE_NAME_LENGTH_SIZE + length
    if (length === 0) this.#startPayload('')
    else this.#expect('name', length)
  }

  #startPayload(filename?: string): void {
    this.#state = 'payload'
    const head: FrameHead = { type: this.#type, length: this.#remaining }
    if (filename !== undefined) head.filename = filename
    this.#sink.start(head)
    if (this.#remaining === 0) this.#endPayload()
  }

  #takePayload(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#remaining)
    this.#remaining -= end - at
    this.#sink.data(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end))
    if (this.#remaining === 0) this.#endPayload()
    return end
  }

  #endPayload(): void {
    this.#expect('header', FRAME_HEADER_SIZE)
    this.#sink.end()
  }

  #expect(state: 'header' | 'name-length' | 'name', size: number): void {
    this.#state = state
    // One small buffer is shared by headers and name lengths; a name (at most 255 bytes) gets its own.
    if (size === FRAME_HEADER_SIZE) this.#field = this.#small
    else this.#field = size < FRAME_HEADER_SIZE ? this.#small.subarray(0, size) : new Uint8Array(size)
    this.#fieldUsed = 0
  }
}

/** Twice as fast as a new DataView. */
function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
