import { createHash } from 'node:crypto'
import type { Stream } from '#lib/pilot/transport.js'
import { decodeFileStream, encodeFileStream, type FileStreamMessage } from '#lib/wire/file-stream.js'
import { FrameType } from '#lib/wire/frame.js'
import { readFrame } from '#lib/wire/frame-io.js'

/** The data of a chunk of the original's sender. */
export const CHUNK = 48 * 1024

/** A file to be sent in chunks, and the messages of its transfer. */
export class Sending {
  readonly sha256: Buffer
  readonly id: Buffer
  readonly content: Buffer
  readonly filename: string

  constructor(content: Buffer, filename = 'file.bin') {
    this.content = content
    this.filename = filename
    this.sha256 = createHash('sha256').update(content).digest()
    this.id = this.sha256.subarray(0, 16)
  }

  get hexId(): string {
    return this.id.toString('hex')
  }

  init(size: number = this.content.length): FileStreamMessage {
    const { id, sha256, filename } = this
    return { kind: 'init', id, size, sha256, chunkSize: CHUNK, filename }
  }

  /** The bytes from `start` to `end`, as they are or as `data`. */
  chunk(start: number, end: number, data: Uint8Array = this.content.subarray(start, end)): FileStreamMessage {
    return { kind: 'chunk', id: this.id, offset: start, data }
  }

  /** All chunks from `start` on. */
  chunks(start = 0): FileStreamMessage[] {
    const chunks: FileStreamMessage[] = []
    for (let at = start; at < this.content.length; at += CHUNK) {
      chunks.push(this.chunk(at, Math.min(at + CHUNK, this.content.length)))
    }
    return chunks
  }

  done(): FileStreamMessage {
    return { kind: 'done', id: this.id }
  }

  abort(): FileStreamMessage {
    return { kind: 'abort', id: this.id, message: 'changed my mind' }
  }
}

/** Writes messages, one after the other; what a stream that is closed does not take is dropped. */
export async function send(stream: Stream, ...messages: FileStreamMessage[]): Promise<void> {
  for (const message of messages) {
    for (const bytes of encodeFileStream(message)) {
      if (stream.destroyed) return
      await new Promise(resolve => stream.write(bytes, resolve))
    }
  }
}

/** Writes messages all at once, so that they come together. */
export function sendTogether(stream: Stream, ...messages: FileStreamMessage[]): void {
  stream.write(Buffer.concat(messages.flatMap(message => encodeFileStream(message))))
}

/** The next answer, in short: `INIT-ACK 0`, `ACK 5`, `COMPLETE ok`, `COMPLETE failed: why`, `ABORT why`. */
export async function answerOf(stream: Stream): Promise<string> {
  const frame = await readFrame(stream)
  if (frame === null) return 'end'
  if (frame.type !== FrameType.FileStream) return Buffer.from(frame.payload).toString()
  const message = decodeFileStream(frame.payload)
  if (message.kind === 'initAck') return `INIT-ACK ${message.offset}`
  if (message.kind === 'ack') return `ACK ${message.received}`
  if (message.kind === 'complete') return `COMPLETE ${message.ok ? 'ok' : `failed: ${message.message}`}`
  return message.kind === 'abort' ? `ABORT ${message.message}` : message.kind
}

/** The next `count` of them, as {@link answerOf}. */
export async function answersOf(stream: Stream, count: number): Promise<string[]> {
  const answers: string[] = []
  while (answers.length < count) answers.push(await answerOf(stream))
  return answers
}

/** Sends messages and gives an answer for each of them. */
export async function converse(stream: Stream, ...messages: FileStreamMessage[]): Promise<string[]> {
  const sending = send(stream, ...messages)
  const answers = await answersOf(stream, messages.length)
  await sending
  return answers
}
