import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  decodeFileStream,
  encodeFileStream,
  type FileStreamMessage,
  readFileStreamHead,
} from '#lib/wire/file-stream.js'
import { fileOf, fileStreamVectors, fromHex, hex } from '../../../../test/helpers/vectors.ts'

const SHA256 = createHash('sha256').update('a file').digest()
const ID = SHA256.subarray(0, 16)
const HEADER = 8

for (const vector of fileStreamVectors) {
  test(`[stream.payload] [stream.kinds] [stream.id] every frame of "${vector.name}" is read, and written byte for byte`, () => {
    const file = fileOf(vector)
    assert.equal(createHash('sha256').update(file).digest('hex'), vector.sha256)
    const ids = new Set<string>()
    for (const frame of [...vector.sender_frames_hex, ...vector.receiver_frames_hex]) {
      const message = decodeFileStream(fromHex(frame).subarray(HEADER))
      ids.add(hex(message.id))
      assert.equal(hex(...encodeFileStream(message)), frame)
      if (message.kind === 'chunk') {
        const { offset, data } = message
        assert.equal(hex(data), hex(file.subarray(offset, offset + data.length)))
      }
    }
    assert.deepEqual([...ids], [vector.sha256.slice(0, 32)])
  })
}

test('[stream.kinds] every kind is decoded as it was encoded', () => {
  const messages: FileStreamMessage[] = [
    { kind: 'init', id: ID, size: 2 ** 40, sha256: SHA256, chunkSize: 49_152, filename: 'größe.bin' },
    { kind: 'init', id: ID, size: 0, sha256: SHA256, chunkSize: 0, filename: '' },
    { kind: 'chunk', id: ID, offset: Number.MAX_SAFE_INTEGER, data: Buffer.from([1, 2]) },
    { kind: 'chunk', id: ID, offset: 0, data: Buffer.alloc(0) },
    { kind: 'ack', id: ID, received: 7 },
    { kind: 'done', id: ID },
    { kind: 'initAck', id: ID, offset: 2 ** 32 },
    { kind: 'complete', id: ID, ok: true, message: '' },
    { kind: 'complete', id: ID, ok: false, message: 'received folder full' },
    { kind: 'abort', id: ID, message: 'no active transfer' },
  ]
  for (const message of messages) {
    const bytes = Buffer.concat(encodeFileStream(message))
    assert.equal(bytes.readUInt32BE(0), 7)
    assert.equal(bytes.readUInt32BE(4), bytes.length - HEADER)
    const read = decodeFileStream(bytes.subarray(HEADER))
    assert.deepEqual(plain(read), plain(message))
  }
})

test('the data of a chunk is not copied in either direction', () => {
  const data = Buffer.alloc(49_152, 5)
  const pieces = encodeFileStream({ kind: 'chunk', id: ID, offset: 0, data })
  assert.equal(pieces[1], data)
  const payload = Buffer.concat(pieces).subarray(HEADER)
  const read = decodeFileStream(payload)
  assert.ok(read.kind === 'chunk' && read.data.buffer === payload.buffer)
})

test('an answer whose text is not UTF-8 is accepted', () => {
  const abort = Buffer.concat([Buffer.from([7]), ID, Buffer.from([0xff])])
  assert.deepEqual(plain(decodeFileStream(abort)), {
    kind: 'abort',
    id: hex(ID),
    message: 'a message that is not UTF-8',
  })
})

const head = (kind: number) => Buffer.concat([Buffer.from([kind]), ID])
const u64 = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
const init = (size: bigint, name: Buffer, sha256 = SHA256) =>
  Buffer.concat([head(1), u64(size), sha256, Buffer.alloc(4), Buffer.from([0, name.length]), name])

const MALFORMED: [name: string, payload: Buffer, code: string][] = [
  ['nothing', Buffer.alloc(0), 'FILE_STREAM_INVALID'],
  ['a kind alone', Buffer.from([1]), 'FILE_STREAM_INVALID'],
  ['half an id', head(4).subarray(0, 16), 'FILE_STREAM_INVALID'],
  ['the kind 0', head(0), 'FILE_STREAM_INVALID'],
  ['the kind 8', head(8), 'FILE_STREAM_INVALID'],
  ['an INIT without a body', head(1), 'FILE_STREAM_INVALID'],
  ['an INIT without its name', init(1n, Buffer.from('a')).subarray(0, 61), 'FILE_STREAM_INVALID'],
  ['an INIT with half of its name', init(1n, Buffer.from('ab')).subarray(0, -1), 'FILE_STREAM_INVALID'],
  ['an INIT of 2^63 bytes', init(2n ** 63n, Buffer.from('a')), 'FILE_STREAM_INVALID'],
  ['an INIT of 2^53 bytes', init(2n ** 53n, Buffer.from('a')), 'FILE_STREAM_INVALID'],
  ['an id that is not of the hash', init(1n, Buffer.from('a'), Buffer.alloc(32)), 'FILE_STREAM_INVALID'],
  ['a name that is a path', init(1n, Buffer.from('a/b')), 'FILENAME_UNSAFE'],
  ['a name that is not UTF-8', init(1n, Buffer.from([0xff])), 'FILENAME_NOT_UTF8'],
  [
    'a name of 256 bytes',
    Buffer.concat([init(1n, Buffer.alloc(0)).subarray(0, -2), Buffer.from([1, 0]), Buffer.alloc(256, 97)]),
    'FILENAME_TOO_LONG',
  ],
  ['a CHUNK without its offset', Buffer.concat([head(2), Buffer.alloc(7)]), 'FILE_STREAM_INVALID'],
  ['a CHUNK at 2^63', Buffer.concat([head(2), u64(2n ** 63n)]), 'FILE_STREAM_INVALID'],
  ['an ACK without its number', head(3), 'FILE_STREAM_INVALID'],
  ['an INIT-ACK without its number', head(5), 'FILE_STREAM_INVALID'],
  ['a COMPLETE without its status', head(6), 'FILE_STREAM_INVALID'],
]

for (const [name, payload, code] of MALFORMED) {
  test(`${name} is not read`, () => {
    assert.throws(() => decodeFileStream(payload), { name: 'WireError', code })
  })
}

test('kind and id are read even if the rest is malformed', () => {
  const { kind, id } = readFileStreamHead(Buffer.concat([head(9), Buffer.alloc(3)]))
  assert.deepEqual([kind, hex(id)], [9, hex(ID)])
  assert.throws(() => readFileStreamHead(Buffer.alloc(16)), { code: 'FILE_STREAM_INVALID' })
})

test('a value that does not fit its field is not written', () => {
  const unwritable: FileStreamMessage[] = [
    { kind: 'done', id: Buffer.alloc(15) },
    { kind: 'init', id: ID, size: 1, sha256: Buffer.alloc(31), chunkSize: 1, filename: 'a' },
    { kind: 'init', id: ID, size: 1, sha256: SHA256, chunkSize: 2 ** 32, filename: 'a' },
    { kind: 'init', id: ID, size: -1, sha256: SHA256, chunkSize: 1, filename: 'a' },
    { kind: 'ack', id: ID, received: 2 ** 53 },
    { kind: 'chunk', id: ID, offset: 0.5, data: Buffer.alloc(0) },
  ]
  for (const message of unwritable) {
    assert.throws(() => encodeFileStream(message), { code: 'FILE_STREAM_INVALID' }, JSON.stringify(message))
  }
  const named = (filename: string): FileStreamMessage => ({
    kind: 'init',
    id: ID,
    size: 1,
    sha256: SHA256,
    chunkSize: 1,
    filename,
  })
  assert.throws(() => encodeFileStream(named('a/b')), { code: 'FILENAME_UNSAFE' })
  assert.throws(() => encodeFileStream(named('x'.repeat(256))), { code: 'FILENAME_TOO_LONG' })
})

/** With bytes as hexadecimal digits, to be compared. */
function plain(message: FileStreamMessage): object {
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => [key, value instanceof Uint8Array ? hex(value) : value]),
  )
}
