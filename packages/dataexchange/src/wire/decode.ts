import { ByteCollector } from '../bytes.ts'
import type { FrameHead } from './encode.ts'
import type { Frame } from './frame.ts'
import { type DecodeOptions, FrameParser, type ParserState } from './frame-parser.ts'

/**
 * Decodes a stream of bytes into whole frames. Input may be split anywhere `[frame.split]`. Memory follows the bytes
 * that have arrived, not the declared lengths `[frame.no-reserve]`. For payloads too large for memory, use {@link
 * FrameParser}.
 */
export class FrameDecoder {
  readonly #parser: FrameParser
  readonly #payload = new ByteCollector()
  #head: FrameHead = { type: 0, length: 0 }
  #frames: Frame[] = []
  /** The payload, if one chunk contains all of it. */
  #whole: Uint8Array | undefined
  #failure: unknown

  constructor(options: DecodeOptions = {}) {
    this.#parser = new FrameParser(
      {
        start: head => {
          this.#head = head
        },
        data: piece => this.#collect(piece),
        end: () => this.#complete(),
      },
      options,
    )
  }

  /** The state of the decoder, see {@link ParserState}. */
  get state(): ParserState {
    return this.#parser.state
  }

  /** Bytes until the end of the current header, name or payload. Pushing at most these completes at most one frame. */
  get wanted(): number {
    return this.#parser.wanted
  }

  /**
   * Takes the next bytes and returns the frames that they complete. If an error follows complete frames in one chunk,
   * the frames are returned, and the next call of `push` or `finish` throws the error. Payloads may be views of
   * `chunk`: do not write into it afterwards.
   *
   * @throws {WireError} FRAME_TOO_LARGE, FILENAME_TOO_LONG, FILENAME_UNSAFE, FILENAME_NOT_UTF8; then
   * DECODER_FAILED
   */
  push(chunk: Uint8Array): Frame[] {
    this.#throwFailure()
    try {
      this.#parser.push(chunk)
    } catch (error) {
      if (this.#frames.length === 0) throw error
      this.#failure = error
    }
    const frames = this.#frames
    if (frames.length > 0) this.#frames = []
    return frames
  }

  /**
   * Ends the stream.
   *
   * @throws {WireError} FRAME_TRUNCATED if the stream ended inside a frame `[frame.truncated]`
   */
  finish(): void {
    this.#throwFailure()
    this.#parser.finish()
  }

  #collect(piece: Uint8Array): void {
    // Usually one chunk contains the whole payload: it is not copied.
    if (piece.length === this.#head.length) this.#whole = piece
    else this.#payload.append(piece, this.#head.length)
  }

  #complete(): void {
    const payload = this.#whole ?? this.#payload.take()
    this.#whole = undefined
    const { type, filename } = this.#head
    this.#frames.push(filename === undefined ? { type, payload } : { type, payload, filename })
  }

  #throwFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure
  }
}
