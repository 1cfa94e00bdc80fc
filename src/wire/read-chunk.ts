/** What reading frames needs of a stream: any Node `Readable` in paused mode has it. */
export interface ByteSource {
  readonly readableLength: number
  readonly readableEnded: boolean
  readonly destroyed: boolean
  readonly errored: Error | null
  read(size?: number): Uint8Array | null
  on(event: string, listener: (error?: Error) => void): unknown
  off(event: string, listener: (error?: Error) => void): unknown
}

/**
 * The next bytes of a stream as soon as there are any, at most `size` and at most 64 KiB, or null at its
 * end. Rejects with the stream's error where it fails.
 *
 * @param onWait told, whenever there is nothing to read yet, how to end the wait: with null, and nothing taken
 */
export async function readChunk(
  stream: ByteSource,
  size: number = READ_SIZE,
  onWait?: (stop: () => void) => void,
): Promise<Uint8Array | null> {
  for (;;) {
    // read(n) of more than is buffered would make the stream collect all n first: take what is there. And
    // read(n) of more than its high-water mark would raise that mark, for good, up to the size of a frame.
    const chunk = stream.read(Math.min(size, stream.readableLength, READ_SIZE))
    if (chunk !== null && chunk.length > 0) return chunk
    if (stream.errored) throw stream.errored
    if (stream.readableEnded || stream.destroyed) return null
    if (!(await nextReadable(stream, onWait))) return null
  }
}

const READ_SIZE = 64 * 1024
const WAKING = ['readable', 'end', 'close']

/** False where the wait was ended. */
function nextReadable(stream: ByteSource, onWait?: (stop: () => void) => void): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null, isReadable = true) => {
      for (const event of WAKING) stream.off(event, ready)
      stream.off('error', settle)
      if (error) reject(error)
      else resolve(isReadable)
    }
    const ready = () => settle()
    // Not `once`: its wrappers would be half of what a connection holds that waits for bytes.
    for (const event of WAKING) stream.on(event, ready)
    stream.on('error', settle)
    onWait?.(() => settle(null, false))
  })
}
