import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { SeekableSource } from '../../client/source/file-source.ts'

/** The bytes of a {@link VerifiedSource} and their hash. */
export interface Verified {
  readonly handle: FileHandle
  /** Offset of the first byte. */
  readonly start: number
  readonly size: number
  /** Hash state of the bytes before, if the hash covers them. */
  readonly hash: Hash
  /** The SHA-256 in hex. */
  readonly sha256: string
  /** The error of other bytes. */
  wrong(why: string): Error
}

/**
 * A part of a file with a known hash. The first sequential read is verified before the last piece is returned, so that no
 * peer can complete a frame of other bytes.
 */
export class VerifiedSource implements SeekableSource {
  readonly size: number
  readonly #what: Verified
  #hash: Hash
  #hashed = 0
  #isRight = false

  constructor(what: Verified) {
    this.#what = what
    this.size = what.size
    this.#hash = what.hash.copy()
  }

  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    this.#restart()
    for (let at = 0; at < this.size; at += PIECE) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, this.size - at))
      await this.read(piece, at)
      yield piece
    }
    if (this.size === 0) await this.check()
  }

  async read(into: Uint8Array, at: number): Promise<void> {
    const { handle, start, wrong } = this.#what
    if (at === 0) this.#restart()
    for (let used = 0; used < into.length; ) {
      const { bytesRead } = await handle.read(into, used, into.length - used, start + at + used)
      if (bytesRead === 0) throw wrong('it is truncated')
      used += bytesRead
    }
    if (this.#isRight || at !== this.#hashed) return
    this.#hash.update(into)
    this.#hashed += into.length
    if (this.#hashed === this.size) await this.check()
  }

  /** Throws if a complete sequential read had another hash. */
  async check(): Promise<void> {
    if (this.#isRight || this.#hashed < this.size) return
    const { sha256, wrong } = this.#what
    if (this.#hash.copy().digest('hex') !== sha256) throw wrong('its SHA-256 is wrong')
    this.#isRight = true
  }

  async close(): Promise<void> {
    await this.#what.handle.close()
  }

  #restart(): void {
    this.#hash = this.#what.hash.copy()
    this.#hashed = 0
    this.#isRight = false
  }
}

const PIECE = 256 * 1024
