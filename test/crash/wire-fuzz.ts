import { type WireFrame, writeWire } from './frame-oracle.js'
import type { Random } from './random.js'

/** Makes streams of frames, and breaks them. */
export class WireFuzz {
  readonly #random: Random
  readonly #types: readonly number[]
  /** Random bytes to cut payloads from: making them anew would take most of the time. */
  readonly #pool: Buffer

  /** Frames are of `types`; FILE has a name, or what looks like one. */
  constructor(random: Random, types: readonly number[]) {
    this.#random = random
    this.#types = types
    this.#pool = random.bytes(POOL)
  }

  /** A frame with a payload of at most `maxBytes`. */
  frame(maxBytes: number): WireFrame {
    const random = this.#random
    const type = random.pick(this.#types)
    const payload = this.bytes(random.integer(0, maxBytes))
    if (type !== 4 || random.chance(0.05)) return { type, payload }
    return { type, payload, name: this.#name() }
  }

  /** Random bytes. */
  bytes(length: number): Buffer {
    const at = this.#random.integer(0, POOL - length)
    return this.#pool.subarray(at, at + length)
  }

  /** A stream of `frames`, broken in one to three places with the probability `broken`. */
  stream(frames: readonly WireFrame[], broken: number): Buffer {
    const wire =
      frames.length === 1 ? writeWire(frames[0] as WireFrame) : Buffer.concat(frames.map(writeWire))
    const isBroken = wire.length > 0 && this.#random.chance(broken)
    return isBroken ? this.#breakIt(wire, this.#random.integer(1, 3)) : wire
  }

  /** `bytes` in up to `most` pieces; some may be empty. */
  split(bytes: Buffer, most: number): Buffer[] {
    const count = this.#random.integer(1, most)
    if (count === 1) return [bytes]
    const cuts = Array.from({ length: count - 1 }, () => this.#random.integer(0, bytes.length))
    const ends = [...cuts.sort((a, b) => a - b), bytes.length]
    return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end))
  }

  #name(): Buffer {
    const random = this.#random
    if (random.chance(0.8)) return Buffer.from(`n${random.integer(0, 999)}${random.pick(NAME_ENDS)}`)
    return random.chance(0.5) ? this.bytes(random.integer(0, 12)) : Buffer.from(random.pick(BAD_NAMES))
  }

  #breakIt(wire: Buffer, times: number): Buffer {
    const random = this.#random
    let broken = Buffer.from(wire)
    for (let i = 0; i < times && broken.length > 0; i++) {
      const at = random.integer(0, broken.length - 1)
      const kind = random.integer(0, 5)
      if (kind === 0) broken[at] = broken[at]! ^ (1 << random.integer(0, 7))
      else if (kind === 1) broken[at] = random.integer(0, 255)
      else if (kind === 2) broken = broken.subarray(0, at)
      else if (kind === 3)
        broken = Buffer.concat([broken.subarray(0, at), broken.subarray(at + random.integer(1, 9))])
      else if (kind === 4) {
        broken = Buffer.concat([
          broken.subarray(0, at),
          this.bytes(random.integer(1, 9)),
          broken.subarray(at),
        ])
      } else if (broken.length >= 8) broken.writeUInt32BE(this.#length(), Math.min(4, broken.length - 4))
    }
    return broken
  }

  #length(): number {
    const random = this.#random
    return random.pick([
      random.integer(0, 40),
      random.integer(0, 70_000),
      2 ** 28 - 1,
      2 ** 28,
      2 ** 28 + 1,
      2 ** 32 - 1,
    ])
  }
}

const POOL = 1 << 20
const NAME_ENDS = ['', '.txt', '.tar.gz', '\u{1f600}.bin', '.']
const BAD_NAMES = ['', '.', '..', 'a/b', 'a\\b', '\0', 'x'.repeat(255), 'x'.repeat(256), 'é'.repeat(128)]
