import type { Duplex } from 'node:stream'
import { AnswerCounter } from './answer-counter.ts'
import { quantile } from './statistics.ts'

/** One slice of load. */
export interface LoadRequest {
  /** Bytes of the payload of each TEXT frame. */
  readonly size: number
  /** Frames of a connection that wait for their answer. */
  readonly window: number
  /** Frames are sent for so long, ... */
  readonly ms: number
  /** ... and no more than so many in all. */
  readonly most: number
  /** Frames a second over all connections, whether they are answered or not; as fast as they are answered otherwise. */
  readonly rate?: number
}

/** The result. */
export interface LoadResult {
  readonly messages: number
  /** Messages a second, from the first that was sent to the last that was answered. */
  readonly rate: number
  /** Milliseconds from the sending of a frame to its answer, for so much of the frames. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/**
 * Sends frames that were encoded beforehand and counts the answers: so cheaply that the service is what is
 * measured. Resolves when all that was sent has been answered.
 */
export async function runLoad(connections: readonly Duplex[], request: LoadRequest): Promise<LoadResult> {
  const frames = repeatedFrame(request.size, request.rate === undefined ? request.window : 1)
  const latencies: number[] = []
  const startedAt = performance.now()
  const isOver = () => performance.now() - startedAt >= request.ms || sent >= request.most
  let sent = 0
  const lanes = connections.map(connection => new Lane(connection, frames, latencies))
  const send = (lane: Lane, count: number) => {
    sent += count
    lane.send(count)
  }
  if (request.rate === undefined) {
    for (const lane of lanes) lane.onAnswers = count => !isOver() && send(lane, count)
    for (const lane of lanes) send(lane, request.window)
  } else {
    await atRate(request.rate, isOver, count => send(lanes[count % lanes.length]!, 1))
  }
  await Promise.all(lanes.map(lane => lane.finish()))
  const seconds = (performance.now() - startedAt) / 1000
  const sorted = Float64Array.from(latencies).sort()
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map(share => quantile(sorted, share)) as [
    number,
    number,
    number,
  ]
  return { messages: sent, rate: sent / seconds, p50, p99, p999 }
}

/** One connection under load. */
class Lane {
  /** The number of answers so far. */
  onAnswers: (count: number) => void = () => {}
  readonly #connection: Duplex
  readonly #frames: Buffer
  readonly #frameSize: number
  readonly #latencies: number[]
  readonly #counter = new AnswerCounter()
  /** When each frame was sent that is not answered yet; those before #first are answered. */
  #sentAt: number[] = []
  #first = 0
  #finished = () => {}
  #failed: (error: Error) => void = () => {}

  constructor(connection: Duplex, frames: { bytes: Buffer; frameSize: number }, latencies: number[]) {
    this.#connection = connection
    this.#frames = frames.bytes
    this.#frameSize = frames.frameSize
    this.#latencies = latencies
    connection.on('data', this.#onData).on('close', this.#onClose)
  }

  send(count: number): void {
    const now = performance.now()
    for (let i = 0; i < count; i++) this.#sentAt.push(now)
    this.#connection.write(this.#frames.subarray(0, count * this.#frameSize))
  }

  /** Resolves when every frame has been answered; the connection can be used again then. */
  async finish(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#finished = resolve
      this.#failed = reject
      this.#check()
    })
    this.#connection.off('data', this.#onData).off('close', this.#onClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    const count = this.#counter.push(chunk)
    const now = performance.now()
    for (let i = 0; i < count; i++) this.#latencies.push(now - this.#sentAt[this.#first++]!)
    if (this.#first > 4096) {
      this.#sentAt = this.#sentAt.slice(this.#first)
      this.#first = 0
    }
    if (count > 0) this.onAnswers(count)
    this.#check()
  }

  readonly #onClose = (): void => {
    this.#failed(new Error('the service closed a connection'))
  }

  #check(): void {
    if (this.#first === this.#sentAt.length) this.#finished()
  }
}

/** Calls `send` with 0, 1, 2, ... at `rate` a second until `isOver`. */
async function atRate(rate: number, isOver: () => boolean, send: (count: number) => void): Promise<void> {
  const startedAt = performance.now()
  for (let count = 0; !isOver(); ) {
    const due = ((performance.now() - startedAt) / 1000) * rate
    while (count < due) send(count++)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** `count` TEXT frames of `size` bytes of payload each, one after the other. */
function repeatedFrame(size: number, count: number): { bytes: Buffer; frameSize: number } {
  const frame = Buffer.alloc(8 + size, TEXT)
  frame.writeUInt32BE(1, 0)
  frame.writeUInt32BE(size, 4)
  return { bytes: Buffer.concat(Array.from({ length: count }, () => frame)), frameSize: frame.length }
}

const TEXT = 'The quick brown fox jumps over the lazy dog; it is what agents tell each other. '
