import { parseAddress } from '#lib/pilot/address.js'
import type { Driver } from '#lib/pilot/driver.js'
import { DATA_EXCHANGE_PORT } from '#lib/pilot/transport.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

export function text(value: string): Uint8Array {
  return Buffer.from(value)
}

/** A frame of any type with any payload. */
export function rawFrame(type: number, payload: Uint8Array): Uint8Array {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(type)
  header.writeUInt32BE(payload.length, 4)
  return Buffer.concat([header, payload])
}

/** A TAGGED frame around any payload; `header` is what it is, and `length` what is told of it. */
export function taggedFrame(
  header: string | Uint8Array,
  innerType: number,
  payload: Uint8Array,
  length: number = Buffer.byteLength(header),
): Uint8Array {
  const [before, after] = [Buffer.alloc(2), Buffer.alloc(4)]
  before.writeUInt16BE(length)
  after.writeUInt32BE(innerType)
  return rawFrame(FrameType.Tagged, Buffer.concat([before, Buffer.from(header), after, payload]))
}

/** The payload of a FILE frame. */
export function filePayload(name: string, data: string): Uint8Array {
  return Buffer.concat([bytes(0, Buffer.byteLength(name)), text(name), text(data)])
}

/** The type and the text of the answer, or `closed`. */
export async function answerTo(driver: Driver, to: string, frame: Frame | Uint8Array): Promise<string> {
  const stream = await driver.dial(parseAddress(to), DATA_EXCHANGE_PORT)
  try {
    if (frame instanceof Uint8Array) stream.write(frame)
    else await writeFrame(stream, frame)
    const answer = await readFrame(stream)
    return answer === null ? 'closed' : `${answer.type} ${Buffer.from(answer.payload)}`
  } finally {
    stream.destroy()
  }
}
