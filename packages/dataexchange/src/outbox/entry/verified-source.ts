import type { Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { SeekableSource } from '../../client/source/file-source.ts'

/** What a {@link VerifiedSource} reads, and what that must be. */
export interface Verified {
  readonly handle: FileHandle
  /** Where it begins. */
  readonly start: number
  readonly size: number
  /** Of what comes before, where the sum covers that too. */
  readonly hash: Hash
  /** The SHA-256 in hex. */
  readonly sha256: string
  /** The error where it is not that. */
  wrong(why: string): Error
}

/**
 * A part of a file that must be what it was. Its first reading from the start on is checked against the sum
 * before the last of it is handed out, so that no peer can complete a frame of anything else.
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
      if (bytesRead === 0) throw wrong('it is cut short')
      used += bytesRead
    }
    if (this.#isRight || at !== this.#hashed) return
    this.#hash.update(into)
    this.#hashed += into.length
    if (this.#hashed === this.size) await this.check()
  }

  /** Throws where all has been read in its order, and was not what it must be. */
  async check(): Promise<void> {
    if (this.#isRight || this.#hashed < this.size) return
    const { sha256, wrong } = this.#what
    if (this.#hash.copy().digest('hex') !== sha256) throw wrong('its SHA-256 is another')
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
