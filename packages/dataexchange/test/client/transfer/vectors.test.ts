import assert from 'node:assert/strict'
import { test } from 'node:test'
import { transferFile } from '#lib/client/transfer/transfer-file.js'
import { SERVER_ADDRESS, socketStreams } from '../../../../../test/helpers/socket-streams.ts'
import { fileOf, fileStreamVectors, fromHex } from '../../../../../test/helpers/vectors.ts'

for (const vector of fileStreamVectors) {
  test(`[stream.send-vectors] the sender’s side of "${vector.name}", byte for byte`, async t => {
    const streams = socketStreams(t)
    const listener = await streams.listen(1001)
    const { result } = transferFile(streams, SERVER_ADDRESS, fileOf(vector), { name: vector.filename })

    const { value: stream } = await listener[Symbol.asyncIterator]().next()
    let expected = 0
    const script = vector.sender_frames_hex.map((frame, i) => {
      expected += frame.length / 2
      return { after: expected, answer: fromHex(vector.receiver_frames_hex[i]) }
    })
    let got = Buffer.alloc(0)
    for await (const chunk of stream) {
      got = Buffer.concat([got, chunk])
      // The answer to each frame, as soon as all of it is there.
      while (script[0] !== undefined && got.length >= script[0].after) stream.write(script.shift()?.answer)
    }
    assert.equal(got.toString('hex'), vector.sender_frames_hex.join(''))
    const { size: bytes, bytesSent, bytesResumed, sha256, verified } = await result
    const resumed = vector.bytes_already_on_receiver
    assert.deepEqual(
      [bytes, bytesSent, bytesResumed, sha256, verified],
      [vector.size, vector.size - resumed, resumed, vector.sha256, true],
    )
  })
}
