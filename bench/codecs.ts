import * as lp from 'it-length-prefixed'
import mqtt from 'mqtt-packet'
import { FrameDecoder } from '#lib/wire/decode.js'
import { encodeFrame } from '#lib/wire/encode.js'

/** A way to put payloads into a stream of bytes and to get them out again. */
export interface Codec {
  readonly name: string
  /** One frame as the pieces to write. */
  encode(payload: Uint8Array): Uint8Array[]
  /** Decodes `count` frames of `size` bytes, each payload in one piece; returns their number. */
  decode(chunks: readonly Buffer[], count: number, size: number): number
}

const MOST = 2 ** 28

/** This library, and two that frame in the same way: a length, then the payload. */
export const CODECS: readonly Codec[] = [
  {
    name: 'ours',
    encode: payload => encodeFrame({ type: 2, payload }),
    decode(chunks, count, size) {
      const decoder = new FrameDecoder()
      const tally = new Tally(count, size)
      for (const chunk of chunks) {
        for (const frame of decoder.push(chunk)) tally.count(frame.payload)
      }
      return tally.total()
    },
  },
  {
    name: 'it-length-prefixed',
    encode: payload => [...lp.encode.single(payload, { maxDataLength: MOST })],
    decode(chunks, count, size) {
      const tally = new Tally(count, size)
      for (const list of lp.decode(chunks, { maxDataLength: MOST })) tally.count(list.subarray())
      return tally.total()
    },
  },
  {
    name: 'mqtt-packet',
    encode(payload) {
      const pieces: Uint8Array[] = []
      const stream = {
        write(piece: Uint8Array | string) {
          pieces.push(typeof piece === 'string' ? Buffer.from(piece) : piece)
          return true
        },
      }
      const packet = {
        cmd: 'publish',
        topic: 't',
        payload,
        qos: 0,
        dup: false,
        retain: false,
      } as mqtt.IPublishPacket
      mqtt.writeToStream(packet, stream as unknown as NodeJS.WritableStream)
      return pieces
    },
    decode(chunks, count, size) {
      const parser = mqtt.parser()
      const tally = new Tally(count, size)
      parser.on('packet', packet => tally.count((packet as mqtt.IPublishPacket).payload as Buffer))
      for (const chunk of chunks) parser.parse(chunk)
      return tally.total()
    },
  },
]

/** Sees to it that what was decoded is what was encoded. */
class Tally {
  readonly #count: number
  readonly #size: number
  #seen = 0

  constructor(count: number, size: number) {
    this.#count = count
    this.#size = size
  }

  count(payload: Uint8Array): void {
    if (payload.length !== this.#size) throw new Error(`a payload of ${payload.length} bytes was decoded`)
    this.#seen++
  }

  total(): number {
    if (this.#seen !== this.#count) throw new Error(`${this.#seen} of ${this.#count} frames were decoded`)
    return this.#seen
  }
}
