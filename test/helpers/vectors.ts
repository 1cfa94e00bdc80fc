import { readFileSync } from 'node:fs'
import type { Frame } from '#lib/wire/index.js'

interface Vector {
  name: string
  wire_hex: string
  payload_hex?: string
  /** Left out where the name is empty or absent. */
  filename?: string
}

interface EncodeVector extends Vector {
  type: number
  type_name: string
}

interface DecodeVector extends Vector {
  ok: boolean
  type?: number
  reason?: string
}

interface TraceVector extends Vector {
  inner_type: number
  /** Decimal text: beyond 2^53. */
  sent_at_ns: string
}

/** Bytes that the original implementation wrote and read (PROTOCOL section 1). */
export const frameVectors = JSON.parse(readFileSync('test/vectors/frames.json', 'utf8')) as {
  encode: EncodeVector[]
  decode: DecodeVector[]
  trace: TraceVector[]
}

interface FileStreamVector {
  name: string
  filename: string
  size: number
  /** Byte k of the file, as words: see {@link fileOf}. */
  pattern: string
  sha256: string
  bytes_already_on_receiver: number
  sender_frames_hex: string[]
  receiver_frames_hex: string[]
}

/** Whole transfers between the original's sender and receiver (section 4). */
export const fileStreamVectors = (
  JSON.parse(readFileSync('test/vectors/file-stream.json', 'utf8')) as { transfers: FileStreamVector[] }
).transfers

/** The file that a vector is about. */
export function fileOf({ size, pattern }: FileStreamVector): Buffer {
  const [, step, start, modulus] = /^byte k is \((\d+)k\+(\d+)\) mod (\d+)$/.exec(pattern)?.map(Number) ?? []
  if (step === undefined || start === undefined || modulus === undefined) throw new Error(pattern)
  return Buffer.from(Array.from({ length: size }, (_, k) => (step * k + start) % modulus))
}

/** The code that stands for a vector's `reason`; null for a clean end. */
export const CODE_OF_REASON: Record<string, string | null> = {
  end: null,
  truncated: 'FRAME_TRUNCATED',
  too_large: 'FRAME_TOO_LARGE',
  filename_too_long: 'FILENAME_TOO_LONG',
  filename_unsafe: 'FILENAME_UNSAFE',
  filename_utf8: 'FILENAME_NOT_UTF8',
}

/** The expected result of reading a vector: a frame, an error's code, or null for a clean end. */
export function expectedOf(vector: DecodeVector): object | string | null {
  if (vector.ok)
    return { type: vector.type, filename: vector.filename ?? '', payload: vector.payload_hex ?? '' }
  const code = CODE_OF_REASON[vector.reason ?? '']
  if (code === undefined) throw new Error(`a reason without a code: ${vector.reason}`)
  return code
}

/** A frame in the form of {@link expectedOf}. */
export function plain({ type, payload, filename }: Frame): object {
  return { type, filename: filename ?? '', payload: hex(payload) }
}

/** Bytes from hexadecimal digits. */
export function fromHex(digits = ''): Uint8Array {
  return Uint8Array.from(Buffer.from(digits, 'hex'))
}

/** Bytes, or pieces of bytes one after the other, as hexadecimal digits. */
export function hex(...pieces: Uint8Array[]): string {
  return Buffer.concat(pieces).toString('hex')
}
