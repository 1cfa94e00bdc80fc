import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { transferFile } from '#lib/exchange/transfer/transfer-file.js'
import { SERVER_ADDRESS, SocketStreams } from '../../../helpers/socket-streams.ts'

interface Transfer {
  name: string
  filename: string
  size: number
  pattern: string
  sha256: string
  sender_frames_hex: string[]
  receiver_frames_hex: string[]
  bytes_sent: number
  bytes_resumed: number
}

const { transfers } = JSON.parse(readFileSync('test/vectors/file-stream.json', 'utf8')) as {
  transfers: Transfer[]
}

for (const vector of transfers) {
  test(`[stream.send-frames] the sender’s side of "${vector.name}", byte for byte`, async t => {
    const streams = new SocketStreams(t)
    const listener = await streams.listen(1001)
    const seed = Number(/7k\+(\d)/.exec(vector.pattern)?.[1])
    const data = Uint8Array.from({ length: vector.size }, (_, k) => (7 * k + seed) % 251)
    const { result } = transferFile(streams, SERVER_ADDRESS, data, { name: vector.filename })

    const { value: stream } = await listener[Symbol.asyncIterator]().next()
    const answers = vector.receiver_frames_hex.map(hex => Buffer.from(hex, 'hex'))
    const expected = vector.sender_frames_hex.map(hex => Buffer.from(hex, 'hex'))
    const wire = Buffer.concat(expected)
    const boundaries = expected.map((_, i) => Buffer.concat(expected.slice(0, i + 1)).length)
    let got = Buffer.alloc(0)
    for await (const chunk of stream) {
      got = Buffer.concat([got, chunk])
      // One answer to each frame, as soon as it is there.
      while (answers.length > 0 && got.length >= (boundaries[expected.length - answers.length] ?? 0)) {
        stream.write(answers.shift())
      }
    }
    assert.equal(got.toString('hex'), wire.toString('hex'))
    const receipt = await result
    assert.deepEqual(
      [receipt.bytes, receipt.bytesSent, receipt.bytesResumed, receipt.sha256, receipt.verified],
      [vector.size, vector.bytes_sent, vector.bytes_resumed, vector.sha256, true],
    )
  })
}
