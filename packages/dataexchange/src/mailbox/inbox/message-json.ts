import { isUtf8 } from 'node:buffer'
import { LIMITS } from '../../limits.ts'
import { escapedLength, escapeJson } from './json-escape.ts'
import { cutAtCodePoint, lossyLength, lossyUtf8 } from './lossy-utf8.ts'
import { Utf8Check } from './utf8-check.ts'

/** What an inbox file says of a message, next to its payload (section 3). */
export interface MessageRecord {
  /** The NAME of the frame's type. */
  readonly type: string
  /** The sender's address. */
  readonly from: string
  /** RFC 3339. */
  readonly receivedAt: string
  /** The sender's id of the message, where it gave one. */
  readonly messageId?: string
  /** The id this message answers, where the sender gave one. */
  readonly replyTo?: string
}

/** What must be known of a payload before its JSON can be laid out. */
export interface PayloadFacts {
  /** Bytes. */
  readonly length: number
  /** Whether it is valid UTF-8. */
  readonly utf8: boolean
  /** Bytes that it takes inside a JSON string. */
  readonly escapedLength: number
  /** Its start: all of a payload of up to 256 KiB, at least 1 KiB + 3 bytes of a larger one. */
  readonly start: Uint8Array
}

/** The text of one inbox file, in order: bytes, or how to make them, or the whole payload in one of its two forms. */
export interface MessageLayout {
  readonly parts: readonly (Uint8Array | Lossy | 'text' | 'base64')[]
  /** Bytes that the payload takes as `text`. */
  readonly escapedLength: number
  /** Bytes of the whole file. */
  readonly size: number
}

/**
 * Lays out the JSON of a message: `data` always (each byte that is not UTF-8 as U+FFFD), `data_encoding`
 * always, `data_b64` with `includeBase64`, for BINARY and for what is not UTF-8 (section 3).
 *
 * A payload over 256 KiB that cannot be read back from `data`, and a text whose JSON would reach 256 MiB (a
 * JavaScript reader ends at 2^29 characters), is written as `data_b64`, with its first KiB as `data` and
 * `"data_truncated":true`.
 */
export function layoutMessage(
  record: MessageRecord,
  payload: PayloadFacts,
  includeBase64: boolean,
): MessageLayout {
  const isText = payload.utf8 && record.type !== 'BINARY'
  const base64Length = Math.ceil(payload.length / 3) * 4
  const textSize = payload.escapedLength + (includeBase64 ? base64Length : 0)
  const whole = isSmall(payload.length) || (isText && textSize < MAX_TEXT_SIZE)
  const isReadable = isText && whole

  const parts: MessageLayout['parts'][number][] = [
    Buffer.from(`{"type":${JSON.stringify(record.type)},"from":${JSON.stringify(record.from)},"data":"`),
    whole && payload.utf8 ? 'text' : lossyData(payload, whole),
    Buffer.from(
      `","bytes":${payload.length},"received_at":${JSON.stringify(record.receivedAt)}` +
        `,"data_encoding":"${isReadable ? 'utf8' : 'base64'}"`,
    ),
  ]
  if (!isReadable || includeBase64) parts.push(Buffer.from(',"data_b64":"'), 'base64', Buffer.from('"'))
  const truncated = whole ? '' : ',"data_truncated":true'
  parts.push(
    Buffer.from(`${truncated}${field('message_id', record.messageId)}${field('reply_to', record.replyTo)}}`),
  )

  const formLength = { text: payload.escapedLength, base64: base64Length }
  const size = parts.reduce(
    (sum, part) => sum + (typeof part === 'string' ? formLength[part] : part.length),
    0,
  )
  return { parts, escapedLength: payload.escapedLength, size }
}

/** The text of `layout` as bytes, where `payload` is whole in memory. */
export function renderMessage(layout: MessageLayout, payload: Uint8Array): Uint8Array[] {
  return layout.parts.map(part => {
    if (typeof part !== 'string') return bytesOf(part)
    return part === 'text' ? escapeJson(payload, layout.escapedLength) : FORMS[part](payload)
  })
}

/**
 * The text of `layout` piece by piece. `chunks` gives the payload from its start each time it is called, in
 * chunks of a multiple of three bytes but for the last.
 */
export async function* streamMessage(
  layout: MessageLayout,
  chunks: () => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (const part of layout.parts) {
    if (typeof part !== 'string') yield bytesOf(part)
    else for await (const chunk of chunks()) yield FORMS[part](chunk)
  }
}

/** The {@link PayloadFacts} of a payload that is whole in memory. */
export function payloadFacts(payload: Uint8Array): PayloadFacts {
  return {
    length: payload.length,
    utf8: isUtf8(payload),
    escapedLength: escapedLength(payload),
    start: payload,
  }
}

/** Gathers {@link PayloadFacts} from a large payload that comes in pieces, and keeps only its start. */
export class PayloadScan {
  readonly #check = new Utf8Check()
  #start: Uint8Array = new Uint8Array(0)
  #length = 0
  #escapedLength = 0

  push(piece: Uint8Array): void {
    if (this.#start.length < START_SIZE)
      this.#start = Buffer.concat([this.#start, piece.subarray(0, START_SIZE)])
    this.#check.push(piece)
    this.#escapedLength += escapedLength(piece)
    this.#length += piece.length
  }

  get facts(): PayloadFacts {
    return {
      length: this.#length,
      utf8: this.#check.valid,
      escapedLength: this.#escapedLength,
      start: this.#start,
    }
  }
}

/** Whether a payload is written with all of its text, whatever its bytes are. */
export function isSmall(length: number): boolean {
  return length <= LIMITS.wholeFrame.value
}

const MAX_TEXT_SIZE = 256 * 1024 * 1024
const SHORT_DATA = 1024
/** Room for a code point that crosses the end of the short data. */
const START_SIZE = SHORT_DATA + 3

const FORMS = {
  text: escapeJson,
  base64: (bytes: Uint8Array): Uint8Array =>
    Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'), 'latin1'),
}

/** A text that is made when it is written: it may take six times as many bytes as what it is made of. */
interface Lossy {
  readonly length: number
  make(): Uint8Array
}

function lossyData({ start, length, escapedLength }: PayloadFacts, whole: boolean): Uint8Array | Lossy {
  if (!whole) return escapeJson(lossyUtf8(cutAtCodePoint(start, SHORT_DATA)))
  // What needs escaping is never what is replaced.
  const size = lossyLength(start) + escapedLength - length
  return { length: size, make: () => escapeJson(lossyUtf8(start), size) }
}

function bytesOf(part: Uint8Array | Lossy): Uint8Array {
  return part instanceof Uint8Array ? part : part.make()
}

function field(key: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${key}":${JSON.stringify(value)}`
}
