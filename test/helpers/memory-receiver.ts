import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { DATA_EXCHANGE_PORT, type Resolver, type Stream, type Streams } from '#lib/pilot/transport.js'
import { ackText } from '#lib/wire/ack.js'
import { decodeFileStream, encodeFileStream, type FileStreamMessage } from '#lib/wire/file-stream.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame, writePieces } from '#lib/wire/frame-io.js'
import { socketStreams } from './socket-streams.ts'

/** One connection to a {@link MemoryReceiver}. */
export interface Visit {
  /** From 1. */
  readonly number: number
  readonly stream: Stream
  say(message: FileStreamMessage): Promise<void>
}

/** Overrides the handling of a frame; true if it has handled it. */
export type Deviation = (frame: Frame, visit: Visit) => boolean | Promise<boolean>

/** A receiver of FILESTREAM and FILE that keeps everything in memory, and does wrong what a test wants it to. */
export class MemoryReceiver {
  /** To reach it by, or any driver that does. */
  readonly streams: Streams & Resolver
  /** By transfer id, in hexadecimal digits. */
  readonly partials = new Map<string, Buffer>()
  readonly files: { name: string; data: Buffer; by: 'stream' | 'file' }[] = []
  /** The kinds of messages and the types of other frames, in order, over all connections. */
  readonly seen: string[] = []
  connections = 0
  readonly #deviation: Deviation
  readonly #inits = new Map<string, Extract<FileStreamMessage, { kind: 'init' }>>()

  private constructor(streams: Streams & Resolver, deviation: Deviation) {
    this.streams = streams
    this.#deviation = deviation
  }

  /** @param streams where it listens. @default a network of its own */
  static async start(
    t: TestContext,
    deviation: Deviation = () => false,
    streams: Streams & Resolver = socketStreams(t),
  ): Promise<MemoryReceiver> {
    const receiver = new MemoryReceiver(streams, deviation)
    const listener = await streams.listen(DATA_EXCHANGE_PORT)
    void receiver.#accept(listener)
    t.after(() => listener.close())
    return receiver
  }

  async #accept(streams: AsyncIterable<Stream>): Promise<void> {
    for await (const stream of streams) {
      stream.on('error', () => {})
      void this.#serve(stream, ++this.connections).catch(() => stream.destroy())
    }
  }

  async #serve(stream: Stream, number: number): Promise<void> {
    const say = (message: FileStreamMessage) => writePieces(stream, encodeFileStream(message))
    const visit = { number, stream, say }
    while (!stream.destroyed) {
      const frame = await readFrame(stream)
      if (frame === null) break
      if (frame.type !== FrameType.FileStream) {
        this.seen.push(`type ${frame.type}`)
        if (!(await this.#deviation(frame, visit))) await this.#takeFile(frame, stream)
        continue
      }
      const message = decodeFileStream(frame.payload)
      this.seen.push(message.kind)
      if (!(await this.#deviation(frame, visit))) await this.#take(message, visit)
    }
    stream.end()
  }

  async #takeFile({ payload, filename = '' }: Frame, stream: Stream): Promise<void> {
    this.files.push({ name: filename, data: Buffer.from(payload), by: 'file' })
    await writeFrame(stream, {
      type: FrameType.Text,
      payload: Buffer.from(ackText(FrameType.File, payload.length)),
    })
  }

  async #take(message: FileStreamMessage, { say }: Visit): Promise<void> {
    const { id } = message
    const key = Buffer.from(id).toString('hex')
    const partial = this.partials.get(key) ?? Buffer.alloc(0)
    if (message.kind === 'init') {
      this.#inits.set(key, message)
      await say({ kind: 'initAck', id, offset: partial.length })
    } else if (message.kind === 'chunk') {
      const isNext = message.offset === partial.length
      const whole = isNext ? Buffer.concat([partial, message.data]) : partial
      this.partials.set(key, whole)
      await say({ kind: 'ack', id, received: whole.length })
    } else if (message.kind === 'done') {
      const init = this.#inits.get(key)
      const hash = createHash('sha256').update(partial).digest()
      this.partials.delete(key)
      const ok = init !== undefined && hash.equals(init.sha256)
      if (ok) this.files.push({ name: init.filename, data: partial, by: 'stream' })
      await say({ kind: 'complete', id, ok, message: ok ? '' : 'hash mismatch' })
    }
  }
}
