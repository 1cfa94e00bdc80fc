import { createHash } from 'node:crypto'
import type { SeekableSource } from './file-source.ts'

/**
 * The SHA-256 of `source`. Holds one block in memory.
 *
 * @throws the errors of the source; the reason of `signal` if it fires
 */
export async function hashSource(source: SeekableSource, signal: AbortSignal): Promise<Uint8Array> {
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafeSlow(Math.min(BLOCK, source.size))
  for (let at = 0; at < source.size; at += block.length) {
    signal.throwIfAborted()
    const part = block.subarray(0, source.size - at)
    await source.read(part, at)
    hash.update(part)
  }
  await source.check()
  return hash.digest()
}

const BLOCK = 1024 * 1024
