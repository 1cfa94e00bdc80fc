import { readFileSync, writeSync } from 'node:fs'
import type { Random } from './random.js'

/** One request to the disk; see block-log.py. */
interface Request {
  /** As process.hrtime.bigint() tells it. */
  readonly atNs: bigint
  readonly kind: 'write' | 'flush'
  readonly offset: number
  readonly content: Buffer
}

/** The requests to a disk, and the states that it may have after a power cut at any of them. */
export class BlockLog {
  readonly #requests: Request[]

  constructor(path: string) {
    this.#requests = parse(readFileSync(path))
  }

  get length(): number {
    return this.#requests.length
  }

  /** The first request that came at `atNs` or later. */
  indexAt(atNs: bigint): number {
    const found = this.#requests.findIndex(request => request.atNs >= atNs)
    return found < 0 ? this.length : found
  }

  /** When request `index` came. */
  timeOf(index: number): bigint {
    return this.#requests[index]!.atNs
  }

  /** The contents of the disk, of `size` bytes, when all that was flushed before request `end` is on it. */
  replay(size: number): Replay {
    return new Replay(this.#requests, size)
  }
}

/** Goes through a log from its start. */
export class Replay {
  readonly #requests: readonly Request[]
  readonly #disk: Buffer
  #pending: Request[] = []
  #at = 0

  constructor(requests: readonly Request[], size: number) {
    this.#requests = requests
    this.#disk = Buffer.alloc(size)
  }

  /** Goes on to request `end`, which is not carried out. */
  advance(end: number): void {
    for (; this.#at < end; this.#at++) {
      const request = this.#requests[this.#at]!
      if (request.kind === 'write') this.#pending.push(request)
      else {
        for (const { offset, content } of this.#pending) content.copy(this.#disk, offset)
        this.#pending = []
      }
    }
  }

  /**
   * Writes the disk as the cut leaves it into the open file `file`: all that was flushed, and of what was not
   * any part, sector by sector. Returns how many sectors were lost.
   */
  crash(file: number, random: Random): number {
    writeSync(file, this.#disk, 0, this.#disk.length, 0)
    const keeps = random.pick([0, 0.1, 0.5, 0.9])
    let lost = 0
    for (const { offset, content } of this.#pending) {
      for (let at = 0; at < content.length; at += SECTOR) {
        const end = Math.min(at + SECTOR, content.length)
        if (random.chance(keeps)) writeSync(file, content, at, end - at, offset + at)
        else lost++
      }
    }
    return lost
  }
}

const SECTOR = 4096
const HEADER = 21
const FLUSH = 2
const ZERO = 3

function parse(log: Buffer): Request[] {
  const requests: Request[] = []
  for (let at = 0; at + HEADER <= log.length; ) {
    const kind = log.readUInt8(at + 8)
    const length = log.readUInt32LE(at + 17)
    const request = { atNs: log.readBigUInt64LE(at), offset: Number(log.readBigUInt64LE(at + 9)) }
    at += HEADER
    if (kind === FLUSH) requests.push({ ...request, kind: 'flush', content: Buffer.alloc(0) })
    else if (kind === ZERO) requests.push({ ...request, kind: 'write', content: Buffer.alloc(length) })
    else {
      requests.push({ ...request, kind: 'write', content: log.subarray(at, at + length) })
      at += length
    }
  }
  return requests
}
