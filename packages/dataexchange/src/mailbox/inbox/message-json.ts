import { isUtf8 } from 'node:buffer'
import { FIXED_LIMITS } from '../../limits.ts'
import { escapedLength, escapeJson } from './json-escape.ts'
import { cutAtCodePoint, lossyLength, lossyUtf8 } from './lossy-utf8.ts'
import { Utf8Check } from './utf8-check.ts'

/** The fields of a message besides its payload. */
export interface MessageRecord {
  /** The name of the frame's type. */
  readonly type: string
  /** The sender's address. */
  readonly from: string
  /** Time of arrival, RFC 3339. */
  readonly receivedAt: string
  /** The sender's id of the message. */
  readonly messageId?: string
  /** The id of the message that this one answers. */
  readonly replyTo?: string
}

/** The facts about a payload that determine its JSON. */
export interface PayloadFacts {
  /** Size in bytes. */
  readonly length: number
  /** Whether it is valid UTF-8. */
  readonly utf8: boolean
  /** Size in bytes inside a JSON string. */
  readonly escapedLength: number
  /** All of a payload up to 256 KiB, at least the first 1 KiB + 3 bytes of a larger one. */
  readonly start: Uint8Array
}

/** The JSON of a message before it is rendered. */
export interface MessageLayout {
  /** In order: bytes, a function that makes them, or the whole payload in one of its two forms. */
  readonly parts: readonly (Uint8Array | Lossy | 'text' | 'base64')[]
  /** Size of the payload in the form `text`, in bytes. */
  readonly escapedLength: number
  /** Size of the file in bytes. */
  readonly size: number
}

/**
 * Lays out the JSON of a message. It always has `data` `[inbox.data]`, with U+FFFD for each byte that is not UTF-8
 * `[inbox.data-replacement]`, and `data_encoding`. It has `data_b64` for BINARY `[inbox.b64-binary]`, for a payload
 * that is not UTF-8 `[inbox.b64-not-utf8]`, and with `includeBase64` `[inbox.b64-option]`.
 *
 * Two kinds of payload have only their first KiB in `data`, with `"data_truncated":true`, and all of it in `data_b64`:
 * one over 256 KiB that `data` cannot represent, and a text whose JSON would reach 256 MiB (a JavaScript string is
 * limited to 2^29 characters).
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

/** Renders the JSON of a payload that is in memory. */
export function renderMessage(layout: MessageLayout, payload: Uint8Array): Uint8Array[] {
  return layout.parts.map(part => {
    if (typeof part !== 'string') return bytesOf(part)
    return part === 'text' ? escapeJson(payload, layout.escapedLength) : FORMS[part](payload)
  })
}

/**
 * Renders the JSON in pieces. Each call of `chunks` reads the payload from its start. All chunks but the last have a
 * multiple of three bytes, as base64 needs it.
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

/** The {@link PayloadFacts} of a payload that is in memory. */
export function payloadFacts(payload: Uint8Array): PayloadFacts {
  return {
    length: payload.length,
    utf8: isUtf8(payload),
    escapedLength: escapedLength(payload),
    start: payload,
  }
}

/** Collects the {@link PayloadFacts} of a large payload from its pieces, and keeps only its start. */
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

/** Whether `data` has the whole payload, whatever its bytes are. */
export function isSmall(length: number): boolean {
  return length <= FIXED_LIMITS.wholeFrame.value
}

const MAX_TEXT_SIZE = 256 * 1024 * 1024
const TRUNCATED_SIZE = 1024
/** With the rest of a code point that crosses the end. */
const START_SIZE = TRUNCATED_SIZE + 3

const FORMS = {
  text: escapeJson,
  base64: (bytes: Uint8Array): Uint8Array =>
    Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'), 'latin1'),
}

/** Bytes that are made only when they are written: they can take six times the memory of the payload. */
interface Lossy {
  readonly length: number
  make(): Uint8Array
}

function lossyData({ start, length, escapedLength }: PayloadFacts, whole: boolean): Uint8Array | Lossy {
  if (!whole) return escapeJson(lossyUtf8(cutAtCodePoint(start, TRUNCATED_SIZE)))
  // A byte is never both escaped and replaced.
  const size = lossyLength(start) + escapedLength - length
  return { length: size, make: () => escapeJson(lossyUtf8(start), size) }
}

function bytesOf(part: Uint8Array | Lossy): Uint8Array {
  return part instanceof Uint8Array ? part : part.make()
}

function field(key: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${key}":${JSON.stringify(value)}`
}
