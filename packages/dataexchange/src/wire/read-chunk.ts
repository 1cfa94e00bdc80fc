/** What reading frames needs of a stream: any Node `Readable` in paused mode has it. */
export interface ByteSource {
  readonly readableLength: number
  readonly readableEnded: boolean
  readonly destroyed: boolean
  readonly errored: Error | null
  read(size?: number): Uint8Array | null
  on(event: string, listener: (error?: unknown) => void): unknown
  off(event: string, listener: (error?: unknown) => void): unknown
}

/**
 * Reads a stream chunk by chunk. Its listeners stay between the reads, which would cost more than reading otherwise: to be
 * closed before anybody else reads the stream.
 */
export class ChunkReader {
  readonly #stream: ByteSource
  #wake: (() => void) | undefined
  #error: Error | undefined
  #isStopped = false

  constructor(stream: ByteSource) {
    this.#stream = stream
    for (const event of EVENTS) stream.on(event, this.#notify)
  }

  /**
   * The next bytes as soon as there are any, at most `size` and at most 64 KiB; null at the end of the stream and
   * after {@link stop}. Rejects with the stream's error where it fails.
   */
  async next(size: number = READ_SIZE): Promise<Uint8Array | null> {
    const stream = this.#stream
    for (;;) {
      if (this.#isStopped) return null
      // read(n) of more than is buffered would make the stream collect all n first: take what is there. And
      // read(n) of more than its high-water mark would raise that mark, for good, up to the size of a frame.
      const chunk = stream.read(Math.min(size, stream.readableLength, READ_SIZE))
      if (chunk !== null && chunk.length > 0) return chunk
      const error = this.#error ?? stream.errored
      if (error) throw error
      if (stream.readableEnded || stream.destroyed) return null
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  /** Ends a wait, and all reads after it, with null; nothing is taken. */
  stop(): void {
    this.#isStopped = true
    this.#notify()
  }

  /** Removes the listeners. */
  close(): void {
    for (const event of EVENTS) this.#stream.off(event, this.#notify)
  }

  readonly #notify = (error?: unknown): void => {
    if (error instanceof Error) this.#error ??= error
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

/** One read of a {@link ChunkReader}, for who does not read the stream all the time. */
export async function readChunk(stream: ByteSource, size?: number): Promise<Uint8Array | null> {
  const reader = new ChunkReader(stream)
  try {
    return await reader.next(size)
  } finally {
    reader.close()
  }
}

const READ_SIZE = 64 * 1024
const EVENTS = ['readable', 'end', 'close', 'error']
