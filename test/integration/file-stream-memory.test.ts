import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { DATA_EXCHANGE_PORT } from 'pilot-dataexchange'
import { answerOf, send } from '../helpers/file-stream.ts'
import { startMeasuredReceiver } from '../helpers/measured-receiver.ts'

const MiB = 1024 * 1024
const BLOCKS = 200
const WINDOW = 16
const CHUNK = 48 * 1024
const skip = existsSync('/proc/self/status') ? false : 'there is no /proc to read the peak memory from'
// Newer lines of Node leave more of what was read to their collector.
const MOST_BYTES = process.version.startsWith('v20.') ? 120_000_000 : 170_000_000

test('200 MB in chunks take less than 120 MB of memory', { skip }, async t => {
  const receiver = await startMeasuredReceiver(t)

  const block = randomBytes(MiB)
  function* chunks() {
    for (let number = 0; number < BLOCKS; number++) {
      block.writeUInt32BE(number)
      for (let at = 0; at < MiB; at += CHUNK) yield Buffer.from(block.subarray(at, at + CHUNK))
    }
  }
  const hash = createHash('sha256')
  for (const chunk of chunks()) hash.update(chunk)
  const sha256 = hash.digest()
  const id = sha256.subarray(0, 16)

  const stream = await receiver.driver.dial(receiver.address, DATA_EXCHANGE_PORT)
  const size = BLOCKS * MiB
  await send(stream, { kind: 'init', id, size, sha256, chunkSize: CHUNK, filename: 'large.bin' })
  assert.equal(await answerOf(stream), 'INIT-ACK 0')
  let offset = 0
  let unanswered = 0
  for (const data of chunks()) {
    await send(stream, { kind: 'chunk', id, offset, data })
    offset += data.length
    if (++unanswered < WINDOW) continue
    assert.match(await answerOf(stream), /^ACK /)
    unanswered--
  }
  await send(stream, { kind: 'done', id })
  for (; unanswered > 0; unanswered--) assert.match(await answerOf(stream), /^ACK /)
  assert.equal(await answerOf(stream), 'COMPLETE ok')
  stream.destroy()

  const peak = receiver.peak()
  assert.ok(peak < MOST_BYTES, `the receiver took ${Math.round(peak / 1e6)} MB`)
  assert.equal(await receiver.receivedHash(), sha256.toString('hex'))
  t.diagnostic(`peak memory of the receiver: ${Math.round(peak / 1e6)} MB`)
})
