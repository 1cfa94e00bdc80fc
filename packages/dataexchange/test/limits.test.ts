import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from '#lib/client/client.js'
import { DESCRIPTOR_WAIT_MS } from '#lib/disk/descriptors.js'
import {
  MAX_FILE_NAME,
  MAX_FRAME_SIZE,
  MAX_FRAME_SIZE_CEILING,
  MAX_FRAME_SIZE_FLOOR,
  maxFrameSizeFrom,
} from '#lib/frame-limits.js'
import { configuredLimit, FIXED_LIMITS, LIMITS } from '#lib/limits.js'
import { STREAMED_STORE_WAIT_MS } from '#lib/mailbox/store-slots.js'
import type { Stream, Streams } from '#lib/pilot/transport.js'
import type { ServiceDeps } from '#lib/plugin/service.js'
import { Server } from '#lib/service/server.js'
import { Service } from '#lib/service/service.js'
import { FrameDecoder } from '#lib/wire/decode.js'
import { encodeFrame } from '#lib/wire/encode.js'

for (const [name, limit] of Object.entries({ ...LIMITS, ...FIXED_LIMITS })) {
  test(`${name} has a value, a unit and a text`, () => {
    if (limit.unit === 'part') assert.ok(limit.value > 0 && limit.value <= 1)
    else if (limit.value !== Number.POSITIVE_INFINITY)
      assert.ok(Number.isSafeInteger(limit.value) && limit.value > 0)
    assert.ok(['bytes', 'ms', 'count', 'part'].includes(limit.unit))
    assert.match(limit.about, /^[^\n]{15,}[^.\s]$/)
    assert.ok(limit.option === null || limit.option.length > 0)
  })
}

test('[frame.cap-default] the constant is the original’s', () => {
  assert.equal(MAX_FRAME_SIZE, 1 << 28)
  assert.equal(LIMITS.maxFrameSize.value, MAX_FRAME_SIZE)
})

test('[inbox.max-files-default] [inbox.max-bytes-default] [received.max-bytes-default] [idle.default] the defaults are the protocol’s', () => {
  assert.equal(LIMITS.inboxMaxFiles.value, 10_000)
  assert.equal(LIMITS.inboxMaxBytes.value, 256 * 2 ** 20)
  assert.equal(LIMITS.receivedMaxBytes.value, 2 * 2 ** 30)
  assert.equal(LIMITS.idleTimeout.value, 2 * 60 * 1000)
})

test('the daemon’s messages, stop and file names have the protocol’s bounds', () => {
  assert.equal(FIXED_LIMITS.ipcMessage.value, 2 ** 20)
  assert.equal(FIXED_LIMITS.stopTimeout.value, 5_000)
  assert.equal(MAX_FILE_NAME, 255)
})

test('no limit contradicts another', () => {
  assert.ok(FIXED_LIMITS.ipcSend.value + 5 <= FIXED_LIMITS.ipcMessage.value)
  assert.ok(FIXED_LIMITS.wholeFrame.value <= FIXED_LIMITS.bytesInFlight.value)
  assert.ok(FIXED_LIMITS.reconnectMin.value < FIXED_LIMITS.reconnectMax.value)
  // A store that waits at every step is still answered before its sender gives up.
  const waits = STREAMED_STORE_WAIT_MS + 4 * DESCRIPTOR_WAIT_MS
  assert.ok(waits < LIMITS.answerTimeout.value)
  assert.ok(MAX_FRAME_SIZE_FLOOR < MAX_FRAME_SIZE)
  assert.ok(MAX_FRAME_SIZE < MAX_FRAME_SIZE_CEILING)
})

test('undefined and zero mean the default, a negative value means off', () => {
  const fallback = LIMITS.idleTimeout
  assert.equal(configuredLimit(undefined, fallback), 120_000)
  assert.equal(configuredLimit(0, fallback), 120_000)
  assert.equal(configuredLimit(-1, fallback), Number.POSITIVE_INFINITY)
  assert.equal(configuredLimit(7, fallback), 7)
})

test('a limit that is not a number is refused: nothing would ever exceed it', async () => {
  const isRefused = { name: 'PluginError', code: 'CONFIG_INVALID' }
  for (const wrong of [Number.NaN, 'many' as unknown as number]) {
    assert.throws(() => configuredLimit(wrong, LIMITS.idleTimeout), { ...isRefused, message: /idleTimeout/ })
    const frames = { maxFrameSize: wrong }
    assert.throws(() => new FrameDecoder(frames), { ...isRefused, message: /maxFrameSize/ })
    assert.throws(() => encodeFrame({ type: 1, payload: Buffer.from('x') }, frames), isRefused)
    assert.throws(() => new Client({} as Stream, frames), isRefused)
    assert.throws(() => new Server({} as Streams, () => {}, frames), isRefused)
    const configs = [
      ...['maxFrameSize', 'idleTimeoutMs', 'frameTimeoutMs', 'maxConnections', 'maxConnectionsPerPeer'],
      ...['inboxMaxFiles', 'inboxMaxBytes', 'receivedMaxBytes', 'inboxShare'],
    ].map(name => ({ [name]: wrong }))
    for (const config of [...configs, { rates: { framesPerSecond: wrong } }]) {
      await assert.rejects(new Service(config).start({} as ServiceDeps), isRefused, JSON.stringify(config))
    }
  }
})

test('[frame.cap-env-range] the variable is a whole number of bytes from 64 KiB to 2 GiB', () => {
  assert.equal(maxFrameSizeFrom('65536'), 65_536)
  assert.equal(maxFrameSizeFrom('2147483648'), 2 ** 31)
  for (const text of [
    undefined,
    '',
    '65535',
    '2147483649',
    '0',
    '-65536',
    '1e6',
    '65536.0',
    '64K',
    ' 65536',
    '0x10000',
  ]) {
    assert.equal(maxFrameSizeFrom(text), undefined, text)
  }
  assert.equal(maxFrameSizeFrom('9'.repeat(400)), undefined)
})
