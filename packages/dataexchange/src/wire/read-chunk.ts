/** The part of a stream that reading frames uses. Every Node `Readable` in paused mode fits. */
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
 * Reads a stream chunk by chunk. Its listeners stay between reads, since adding and removing them costs more than
 * reading. Close it before another reader uses the stream.
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
   * Resolves with the next bytes as soon as there are any, at most `size` and at most 64 KiB; with null at the end of
   * the stream and after {@link stop}. Rejects with the error of the stream if it fails.
   */
  async next(size: number = READ_SIZE): Promise<Uint8Array | null> {
    const stream = this.#stream
    for (;;) {
      if (this.#isStopped) return null
      // With n above the buffered length, read(n) would wait for all n bytes. With n above the high-water mark, it
      // would permanently raise that mark up to the size of a frame.
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

  /** Resolves the current and all later reads with null; no bytes are consumed. */
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

/** Reads one chunk, for callers that read the stream only now and then; see {@link ChunkReader.next}. */
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
