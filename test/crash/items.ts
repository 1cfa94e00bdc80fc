import { createHash } from 'node:crypto'
import type { Message } from '#lib/client/outgoing.js'
import type { Random } from './random.js'

/** The frames that are sent. */
export type Kind = 'TEXT' | 'JSON' | 'BINARY' | 'FILE'

/** Something to send, and the key that what is stored of it has. */
export interface Item {
  readonly key: string
  readonly message: Message
}

/** A payload of random bytes; one of {@link MARKED} bytes or more ends in the hash of what stands before. */
export function makeItem(random: Random, kind: Kind, size: number): Item {
  const isBinary = kind === 'BINARY' || kind === 'FILE'
  const filler = random.bytes(size)
  // Printable, with quotes and backslashes, which JSON has to escape.
  if (!isBinary) for (let i = 0; i < size; i++) filler[i] = 0x20 + (filler[i]! % 0x5f)
  if (size >= MARKED) filler.write(mark(filler.subarray(0, size - MARK)), size - MARK, 'latin1')
  return { key: keyOf(kind, filler), message: messageOf(kind, filler) }
}

/** The mark that distinguishes two payloads of a kind. */
export function keyOf(kind: string, payload: Uint8Array): string {
  return `${kind} ${payload.length} ${sha256(payload).slice(0, 32)}`
}

/** Whether a payload ends as it was made to. A payload shorter than {@link MARKED} cannot be identified. */
export function isWhole(payload: Buffer): boolean {
  if (payload.length < MARKED) return true
  const cut = payload.length - MARK
  return payload.toString('latin1', cut) === mark(payload.subarray(0, cut))
}

/** The name that a file is sent under: it tells what the file must hold. */
export function fileNameOf(payload: Uint8Array): string {
  return `f${payload.length}-${sha256(payload).slice(0, 16)}.bin`
}

const MARK = 64
const MARKED = 96

function messageOf(kind: Kind, payload: Buffer): Message {
  if (kind === 'TEXT') return { text: payload.toString('latin1') }
  if (kind === 'JSON') return { json: payload }
  if (kind === 'BINARY') return { binary: payload }
  return { file: payload, name: fileNameOf(payload) }
}

function mark(bytes: Uint8Array): string {
  return sha256(bytes)
}

/** 64 hex digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
