import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { Driver } from '#lib/pilot/driver.js'
import { decodeFileStream } from '#lib/wire/file-stream.js'
import { FrameType } from '#lib/wire/frame.js'
import { writeFrame } from '#lib/wire/frame-io.js'
import { Sandbox } from '../helpers/cli.js'
import { type Deviation, MemoryReceiver } from '../helpers/memory-receiver.ts'
import { text } from '../helpers/service-harness.ts'

const content = randomBytes(2_000_000)
const sha256 = createHash('sha256').update(content).digest('hex')

/** A command line, a file, and a peer that takes files, or does what a test wants. */
async function peerFor(t: TestContext, deviation?: Deviation) {
  const box = new Sandbox(t)
  const daemon = await EmbeddedDaemon.start({ socketPath: box.socket, directory: join(box.dir, 'nodes') })
  const driver = await Driver.connect(box.socket)
  t.after(async () => {
    await driver.close()
    await daemon.close()
  })
  const peer = await MemoryReceiver.start(t, deviation, driver)
  const path = join(box.dir, 'data.bin')
  writeFileSync(path, content)
  return { box, peer, path, address: daemon.address.toString() }
}

test('send-file sends in chunks that the peer verifies, and tells it in pilotctl’s words', async t => {
  const { box, peer, path, address } = await peerFor(t)
  const {
    elapsed_ms: elapsed,
    throughput_mbps: throughput,
    ...sent
  } = await box.ok(['send-file', address, path])
  assert.deepEqual(sent, {
    filename: 'data.bin',
    bytes: content.length,
    bytes_sent: content.length,
    bytes_resumed: 0,
    sha256,
    destination: address,
    transport: 'filestream',
    verified: true,
    reconnects: 0,
  })
  assert.ok(elapsed > 0 && throughput > 0)
  assert.ok(peer.files[0]?.data.equals(content))
})

test('send-file tells a person what was there already, and that it lost the connection', async t => {
  let isCut = false
  const { box, peer, path, address } = await peerFor(t, (frame, { stream }) => {
    const message = frame.type === FrameType.FileStream && decodeFileStream(frame.payload)
    if (isCut || !message || message.kind !== 'chunk' || message.offset < 1_500_000) return false
    isCut = true
    stream.destroy()
    return true
  })
  peer.partials.set(sha256.slice(0, 32), content.subarray(0, 1024 ** 2))
  const { code, stdout, stderr } = await box.run(['send-file', address, path, '--name', 'b.bin'])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(
    stdout,
    /^stored and verified {2}b\.bin to 0:\S+, 1\.91 MiB in \d.* \(1 MiB were there already, connected again 1 time\)\nsha256 [0-9a-f]{64}\n$/,
  )
  assert.ok(peer.files[0]?.data.equals(content))
})

test('send-file falls back to one frame where the peer is older', async t => {
  const { box, path, address } = await peerFor(t, async (frame, { stream }) => {
    if (frame.type !== FrameType.FileStream) return false
    await writeFrame(stream, text('ACK UNKNOWN(7) 68 bytes'))
    return true
  })
  const sent = await box.ok(['send-file', address, path])
  assert.deepEqual([sent.transport, sent.verified, sent.ack], ['file', false, 'ACK FILE 2000000 bytes'])
})

test('Ctrl-C tells the peer ABORT, and ends with the code of the signal', { timeout: 30_000 }, async t => {
  const seen = new EventEmitter()
  const [started, aborted] = [once(seen, 'chunk'), once(seen, 'abort')]
  const { box, path, address } = await peerFor(t, frame => {
    if (frame.type !== FrameType.FileStream) return false
    const { kind } = decodeFileStream(frame.payload)
    seen.emit(kind)
    // None is acknowledged, so that the transfer cannot end by itself.
    return kind === 'chunk'
  })
  const sending = box.start(['send-file', address, path, '--json'])
  await started
  sending.child.kill('SIGINT')
  const { code, stdout, stderr } = await sending.done
  assert.deepEqual([code, stdout], [130, ''])
  const error = JSON.parse(stderr)
  assert.equal(error.error_code, 'ABORTED')
  assert.match(error.hint, /send it again to go on/)
  await aborted
})
