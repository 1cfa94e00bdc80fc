import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import type { FileSource } from '#lib/client/source/file-source.js'
import type { TransferProgress } from '#lib/client/transfer/progress.js'
import { transferFile } from '#lib/client/transfer/transfer-file.js'
import type { TransferOptions } from '#lib/client/transfer/transfer-types.js'
import { CHUNK, INIT_ACK_TIMEOUT_MS } from '#lib/client/transfer/upload.js'
import { ERROR_CODES } from '#lib/error-codes.js'
import { type DeliveryError, DriverError } from '#lib/errors.js'
import { FIXED_LIMITS, LIMITS } from '#lib/limits.js'
import { decodeFileStream, type FileStreamMessage } from '#lib/wire/file-stream.js'
import { type Frame, FrameType } from '#lib/wire/frame.js'
import { writeFrame } from '#lib/wire/frame-io.js'
import { makeTree } from '../../../../../test/helpers/folder-tree.ts'
import { type Deviation, MemoryReceiver } from '../../../../../test/helpers/memory-receiver.ts'
import { closed, text } from '../../../../../test/helpers/service-harness.ts'
import { setLimit } from '../../../../../test/helpers/set-limit.ts'
import { SERVER_ADDRESS } from '../../../../../test/helpers/socket-streams.ts'
import { tempDir } from '../../../../../test/helpers/temp-dir.ts'

const content = randomBytes(20 * CHUNK + 123)
const sha256 = createHash('sha256').update(content).digest('hex')
const id = sha256.slice(0, 32)

/** The message in a frame, if it is one of FILESTREAM. */
function messageIn(frame: Frame): FileStreamMessage | undefined {
  return frame.type === FrameType.FileStream ? decodeFileStream(frame.payload) : undefined
}

/** A deviation from one kind of message. */
function at(kind: FileStreamMessage['kind'], deviate: Deviation): Deviation {
  return (frame, visit) => messageIn(frame)?.kind === kind && deviate(frame, visit)
}

function send(peer: MemoryReceiver, file: FileSource, options: TransferOptions = {}) {
  return transferFile(peer.streams, SERVER_ADDRESS, file, { name: 'a.bin', ...options })
}

async function fileWith(t: TestContext, bytes: Uint8Array): Promise<string> {
  const path = join(tempDir(t), 'a.bin')
  writeFileSync(path, bytes)
  return path
}

test('a file is stored and verified, and the receipt says so', async t => {
  const peer = await MemoryReceiver.start(t)
  const path = await fileWith(t, content)
  const { elapsedMs, ...receipt } = await transferFile(peer.streams, 'server', path).result
  assert.deepEqual(receipt, {
    transport: 'stream',
    filename: 'a.bin',
    size: content.length,
    bytesSent: content.length,
    bytesResumed: 0,
    sha256,
    verified: true,
    reconnects: 0,
    answer: '',
  })
  assert.ok(elapsedMs >= 0)
  assert.deepEqual(peer.files, [{ name: 'a.bin', data: content, by: 'stream' }])
})

test('every kind of source can be sent', async t => {
  const peer = await MemoryReceiver.start(t)
  const sources = [content, new Blob([content]), Readable.from([content]), new Blob([content]).stream()]
  for (const source of sources) {
    await send(peer, source).result
    assert.ok(peer.files.pop()?.data.equals(content))
  }
  assert.equal((await send(peer, new Uint8Array(0)).result).size, 0)
})

test('[stream.send-resume] what the peer has is not sent again', async t => {
  const peer = await MemoryReceiver.start(t)
  for (const there of [1, CHUNK, 5 * CHUNK + 7, content.length]) {
    peer.partials.set(id, content.subarray(0, there))
    const receipt = await send(peer, content).result
    assert.deepEqual([receipt.bytesResumed, receipt.bytesSent], [there, content.length - there])
    assert.ok(peer.files.pop()?.data.equals(content))
  }
})

test('[stream.send-window] chunks are 48 KiB, and at most 16 are unacknowledged', async t => {
  const sizes: number[] = []
  const unanswered: { received: number; data: Uint8Array }[] = []
  let released = false
  const peer = await MemoryReceiver.start(
    t,
    at('chunk', async (frame, { say, stream }) => {
      const message = messageIn(frame)
      assert.ok(message?.kind === 'chunk')
      sizes.push(message.data.length)
      unanswered.push({ received: message.offset + message.data.length, data: message.data })
      peer.partials.set(id, Buffer.concat([peer.partials.get(id) ?? Buffer.alloc(0), message.data]))
      if (unanswered.length < 16 && !released) return true
      // A 17th would have come by now: nothing keeps the sender from writing it but the window.
      if (!released) {
        await new Promise(resolve => setTimeout(resolve, 100))
        assert.equal(stream.readableLength, 0)
        released = true
      }
      for (const { received } of unanswered.splice(0)) await say({ kind: 'ack', id: message.id, received })
      return true
    }),
  )
  await send(peer, content).result
  assert.deepEqual(sizes, [...Array(20).fill(CHUNK), 123])
  assert.ok(peer.files[0]?.data.equals(content))
})

test('a lost connection is made again, and the transfer goes on where it was', async t => {
  const cutAfter = [3, 5, 1, 7]
  let chunks = 0
  const peer = await MemoryReceiver.start(
    t,
    at('chunk', (_, { stream }) => {
      if (++chunks !== cutAfter[0]) return false
      chunks = 0
      cutAfter.shift()
      stream.destroy()
      return true
    }),
  )
  const receipt = await send(peer, content).result
  assert.deepEqual([receipt.reconnects, receipt.bytesResumed, receipt.verified], [4, 0, true])
  assert.ok(receipt.bytesSent >= content.length)
  assert.equal(peer.connections, 5)
  assert.ok(peer.files[0]?.data.equals(content))
})

test('a cut at any message is mended', async t => {
  for (const kind of ['init', 'chunk', 'done'] as const) {
    const peer = await MemoryReceiver.start(
      t,
      at(kind, (_, { number, stream }) => {
        if (number === 1) stream.destroy()
        return number === 1
      }),
    )
    const receipt = await send(peer, content).result
    assert.deepEqual([kind, receipt.transport, receipt.reconnects], [kind, 'stream', 1])
    assert.ok(peer.files[0]?.data.equals(content))
  }
})

test('a dial that fails between tries is a try', async t => {
  const peer = await MemoryReceiver.start(
    t,
    at('done', (_, { number, stream }) => {
      if (number === 1) stream.destroy()
      return number === 1
    }),
  )
  let dials = 0
  const flaky = {
    resolve: async () => SERVER_ADDRESS,
    dial: async (...args: Parameters<typeof peer.streams.dial>) => {
      dials++
      if (dials === 2 || dials === 3) throw new DriverError('DIAL_FAILED', 'not now')
      return peer.streams.dial(...args)
    },
  }
  const receipt = await transferFile(flaky, SERVER_ADDRESS, content, { name: 'a' }).result
  assert.deepEqual([dials, receipt.reconnects], [4, 3])
})

test('the first dial is not tried again', async () => {
  let dials = 0
  const nobody = {
    resolve: async () => SERVER_ADDRESS,
    dial: async () => {
      dials++
      throw new DriverError('DIAL_FAILED', 'nobody there')
    },
  }
  const { result } = transferFile(nobody, SERVER_ADDRESS, content, { name: 'a' })
  await assert.rejects(result, { code: 'DIAL_FAILED' })
  assert.equal(dials, 1)
})

test('tries that bring nothing are bounded, and progress begins the count again', async t => {
  t.mock.method(Math, 'random', () => 0)
  setLimit(t, 'reconnectMin', 1)
  // A connection that brings one chunk, then eight that bring nothing, and so on: what came is seen at the next INIT.
  const generous = await MemoryReceiver.start(
    t,
    at('chunk', (frame, { number, stream }) => {
      if (number > 27) return false
      const message = messageIn(frame)
      if (
        number % 9 === 1 &&
        message?.kind === 'chunk' &&
        message.offset === (generous.partials.get(id)?.length ?? 0)
      ) {
        generous.partials.set(id, Buffer.from(content.subarray(0, message.offset + message.data.length)))
      }
      stream.destroy()
      return true
    }),
  )
  const receipt = await send(generous, content).result
  assert.equal(receipt.reconnects, 27)

  const useless = await MemoryReceiver.start(
    t,
    at('chunk', (_, { stream }) => {
      stream.destroy()
      return true
    }),
  )
  await assert.rejects(send(useless, content).result, {
    code: 'CONNECTION_CLOSED',
    message: new RegExp(
      `lost ${FIXED_LIMITS.uploadTries.value} times in a row; the peer has 0 of ${content.length}`,
    ),
  })
  assert.equal(useless.connections, FIXED_LIMITS.uploadTries.value)
})

for (const answer of [
  'ACK UNKNOWN(7) 68 bytes',
  'ERR UNKNOWN(7) save failed: unsupported frame type 7',
  'hm',
]) {
  test(`[stream.send-fallback] a peer that answers INIT with "${answer}" gets a FILE, on a fresh connection`, async t => {
    const peer = await MemoryReceiver.start(
      t,
      at('init', async (_, { stream }) => {
        await writeFrame(stream, text(answer))
        return true
      }),
    )
    const receipt = await send(peer, content).result
    assert.deepEqual(
      [receipt.transport, receipt.verified, receipt.answer, receipt.sha256, receipt.bytesSent],
      ['file', false, `ACK FILE ${content.length} bytes`, sha256, content.length],
    )
    assert.deepEqual(peer.files, [{ name: 'a.bin', data: content, by: 'file' }])
    assert.deepEqual([peer.connections, peer.seen], [2, ['init', 'type 4']])
  })
}

test('[stream.send-fallback] a peer that closes at INIT, twice, gets a FILE', async t => {
  const peer = await MemoryReceiver.start(
    t,
    at('init', (_, { stream }) => {
      stream.destroy()
      return true
    }),
  )
  const receipt = await send(peer, content).result
  assert.equal(receipt.transport, 'file')
  assert.deepEqual(peer.seen, ['init', 'init', 'type 4'])
})

test('[stream.send-init-wait] a peer that says nothing for 5 s gets a FILE', async t => {
  let asked = () => {}
  const isAsked = new Promise<void>(resolve => {
    asked = resolve
  })
  const peer = await MemoryReceiver.start(
    t,
    at('init', () => {
      asked()
      return true
    }),
  )
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { result } = send(peer, content)
  await isAsked
  assert.equal(INIT_ACK_TIMEOUT_MS, 5_000)
  t.mock.timers.tick(5_000)
  assert.equal((await result).transport, 'file')
})

test('a peer that cannot have the file as FILE either: an error that says why, and nothing is sent', async t => {
  const peer = await MemoryReceiver.start(
    t,
    at('init', async (_, { stream }) => {
      await writeFrame(stream, text('ACK UNKNOWN(7) 68 bytes'))
      return true
    }),
  )
  await assert.rejects(send(peer, content, { maxFrameSize: 100_000 }).result, {
    code: 'PEER_UNSUPPORTED',
    message:
      /does not support FILESTREAM: it answered "ACK UNKNOWN\(7\) 68 bytes"; .*too old for so large a file/,
  })
  await assert.rejects(send(peer, content, { fallback: false }).result, { code: 'PEER_UNSUPPORTED' })
  assert.deepEqual(peer.seen, ['init', 'init'])
})

test('transport: file sends one FILE frame, of what fits one', async t => {
  const peer = await MemoryReceiver.start(t)
  assert.equal((await send(peer, content, { transport: 'file' }).result).transport, 'file')
  assert.deepEqual(peer.seen, ['type 4'])
  const { result } = send(peer, content, { transport: 'file', maxFrameSize: 1000 })
  await assert.rejects(result, { code: 'FRAME_TOO_LARGE' })
  assert.equal(peer.connections, 1)
})

test('[stream.send-refused] a refusal is reported, and there is no fallback', async t => {
  const refusals: [FileStreamMessage['kind'], (id: Uint8Array) => FileStreamMessage][] = [
    ['init', id => ({ kind: 'complete', id, ok: false, message: 'received folder full' })],
    ['init', id => ({ kind: 'abort', id, message: 'received folder full' })],
    ['chunk', id => ({ kind: 'abort', id, message: 'received folder full' })],
    ['chunk', id => ({ kind: 'complete', id, ok: false, message: 'received folder full' })],
    ['done', id => ({ kind: 'complete', id, ok: false, message: 'received folder full' })],
  ]
  for (const [kind, answer] of refusals) {
    const peer = await MemoryReceiver.start(
      t,
      at(kind, async (frame, { say, stream }) => {
        await say(answer(messageIn(frame)?.id ?? new Uint8Array(16)))
        stream.end()
        return true
      }),
    )
    await assert.rejects(send(peer, content).result, {
      code: 'PEER_REFUSED',
      message: /received folder full/,
      answer: 'received folder full',
    })
    assert.deepEqual([peer.connections, peer.files], [1, []], kind)
  }
})

test('an answer that cannot be ends the transfer, and is not tried again', async t => {
  const size = content.length
  const answers: [FileStreamMessage['kind'], (id: Uint8Array) => FileStreamMessage][] = [
    ['init', id => ({ kind: 'initAck', id, offset: size + 1 })],
    ['chunk', id => ({ kind: 'ack', id, received: size + 1 })],
    ['chunk', id => ({ kind: 'complete', id, ok: true, message: '' })],
    ['chunk', id => ({ kind: 'initAck', id, offset: 0 })],
    ['chunk', () => ({ kind: 'ack', id: new Uint8Array(16), received: 1 })],
  ]
  for (const [kind, answer] of answers) {
    const peer = await MemoryReceiver.start(
      t,
      at(kind, async (frame, { say }) => {
        await say(answer(messageIn(frame)?.id ?? new Uint8Array(16)))
        return true
      }),
    )
    await assert.rejects(send(peer, content).result, { code: 'ANSWER_INVALID' })
    assert.deepEqual([peer.connections, peer.files, peer.seen.at(-1)], [1, [], 'abort'])
  }
})

test('[stream.send-abort] a transfer that is aborted tells the peer, and closes', async t => {
  let reason = ''
  let over: Promise<unknown> | undefined
  const abort = new AbortController()
  const peer = await MemoryReceiver.start(t, (frame, { stream }) => {
    const message = messageIn(frame)
    over ??= closed(stream)
    if (message?.kind === 'chunk' && message.offset === 2 * CHUNK) abort.abort('enough')
    if (message?.kind === 'abort') reason = message.message
    // Acknowledges nothing, so that it cannot end by itself.
    return message?.kind === 'chunk'
  })
  const { result } = send(peer, content, { signal: abort.signal })
  await assert.rejects(result, { name: 'AbortError', code: 'ABORTED', cause: 'enough' })
  await over
  assert.equal(reason, 'the sender has cancelled it')
  assert.deepEqual([peer.connections, peer.files], [1, []])
  const late = send(peer, content, { signal: abort.signal })
  await assert.rejects(late.result, { code: 'ABORTED' })
  assert.equal(peer.connections, 1)
})

test('an abort between two tries ends it at once', async t => {
  const abort = new AbortController()
  const peer = await MemoryReceiver.start(
    t,
    at('chunk', (_, { stream }) => {
      stream.destroy()
      return true
    }),
  )
  setLimit(t, 'reconnectMin', 10_000)
  const transfer = send(peer, content, { signal: abort.signal })
  for await (const { phase } of transfer.progress()) {
    if (phase === 'sending') setImmediate(() => abort.abort())
  }
  await assert.rejects(transfer.result, { code: 'ABORTED' })
})

test('[stream.send-stall] a transfer without progress ends', async t => {
  const mute = await MemoryReceiver.start(
    t,
    at('chunk', () => true),
  )
  await assert.rejects(send(mute, content, { stallTimeoutMs: 300 }).result, {
    code: 'TIMED_OUT',
    message: `no progress for 300 ms; the peer has 0 of ${content.length} bytes`,
  })
  assert.equal(mute.seen.at(-1), 'abort')
  assert.equal(LIMITS.uploadStall.value, 60_000)
})

test('the peer has time to check a large file, on top of the timeout', async t => {
  const peer = await MemoryReceiver.start(
    t,
    at('done', () => true),
  )
  // So slow a receiver is allowed 200 ms for this file.
  setLimit(t, 'uploadHashRate', content.length * 5)
  const startedAt = performance.now()
  await assert.rejects(send(peer, content, { stallTimeoutMs: 800 }).result, { code: 'ANSWER_TIMED_OUT' })
  assert.ok(performance.now() - startedAt >= 990)
})

test('a file that changes while it is sent is an error, told to the peer', async t => {
  const path = await fileWith(t, content)
  let reason = ''
  const peer = await MemoryReceiver.start(t, frame => {
    const message = messageIn(frame)
    if (message?.kind === 'chunk' && message.offset === 0) writeFileSync(path, Buffer.alloc(content.length))
    if (message?.kind === 'abort') reason = message.message
    return false
  })
  await assert.rejects(send(peer, path).result, { code: 'SOURCE_CHANGED' })
  assert.deepEqual([peer.connections, peer.files], [1, []])
  assert.equal(reason, 'the file has changed')
})

test('a change that leaves size and time as they were is found by the hash', async t => {
  const path = await fileWith(t, content)
  utimesSync(path, 1_000, 1_000)
  const peer = await MemoryReceiver.start(t, frame => {
    if (messageIn(frame)?.kind === 'init') {
      writeFileSync(path, Buffer.alloc(content.length))
      utimesSync(path, 1_000, 1_000)
    }
    return false
  })
  await assert.rejects(send(peer, path).result, { code: 'SOURCE_CHANGED' })
  assert.deepEqual([peer.connections, peer.files], [1, []])
})

test('a damaged part that the peer discards costs a second try', async t => {
  const peer = await MemoryReceiver.start(t)
  peer.partials.set(id, randomBytes(5 * CHUNK))
  const receipt = await send(peer, content).result
  assert.deepEqual([receipt.transport, receipt.verified, receipt.bytesResumed], ['stream', true, 0])
  assert.equal(peer.connections, 2)
  assert.ok(peer.files[0]?.data.equals(content))
})

test('the words of this project’s own receiver for a wrong hash are understood', async t => {
  const peer = await MemoryReceiver.start(
    t,
    at('done', async (_, { number, say }) => {
      if (number > 1) return false
      peer.partials.clear()
      const message = ERROR_CODES.TRANSFER_CORRUPT.toPeer ?? ''
      await say({ kind: 'complete', id: Buffer.from(id, 'hex'), ok: false, message })
      return true
    }),
  )
  assert.equal((await send(peer, content).result).verified, true)
  assert.equal(peer.connections, 2)
})

test('one that the peer keeps leads to FILE, or to an error that says so', async t => {
  const damaged = randomBytes(content.length)
  const peer = await MemoryReceiver.start(t, frame => {
    if (messageIn(frame)?.kind === 'init') peer.partials.set(id, damaged)
    return false
  })
  const receipt = await send(peer, content).result
  assert.deepEqual([receipt.transport, receipt.bytesResumed, receipt.bytesSent], ['file', 0, content.length])
  assert.deepEqual([peer.connections, peer.files.length], [3, 1])
  await assert.rejects(send(peer, content, { maxFrameSize: 1000 }).result, {
    code: 'PEER_REFUSED',
    message: new RegExp(`damaged; have \\.partial/${id} removed`),
  })
})

test('progress goes to a callback, state by state, and it may end the transfer', async t => {
  const peer = await MemoryReceiver.start(t)
  const seen: TransferProgress[] = []
  await send(peer, content, { onProgress: progress => seen.push(progress) }).result
  assert.deepEqual(
    seen.map(({ phase }) => phase).filter((phase, i, all) => phase !== all[i - 1]),
    ['hashing', 'connecting', 'sending', 'finishing'],
  )
  const done = seen.map(({ bytesDone }) => bytesDone)
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  )
  const last = seen.at(-1)
  assert.deepEqual([last?.bytesDone, last?.bytesSent, last?.total], Array(3).fill(content.length))
  assert.ok(seen.some(({ bytesPerSecond, etaMs }) => bytesPerSecond > 0 && etaMs !== undefined))

  const onProgress = ({ bytesSent }: TransferProgress) => {
    if (bytesSent > CHUNK) throw new Error('the caller has had enough')
  }
  await assert.rejects(send(peer, content, { onProgress }).result, /has had enough/)
  assert.equal(peer.connections, 2)
})

test('an iterator gets the latest state only, and ends with the transfer', async t => {
  const peer = await MemoryReceiver.start(t)
  const transfer = send(peer, content)
  const states = transfer.progress()[Symbol.asyncIterator]()
  const first = await states.next()
  await transfer.result
  const last = await states.next()
  assert.deepEqual([first.done, last.value?.bytesDone], [false, content.length])
  assert.equal((await states.next()).done, true)

  const failing = send(peer, content, { maxFrameSize: 10, transport: 'file' })
  for await (const _ of failing.progress());
  await assert.rejects(failing.result, { code: 'FRAME_TOO_LARGE' })
})

test('what cannot be sent is refused before anybody is asked', async t => {
  const peer = await MemoryReceiver.start(t)
  const dir = tempDir(t)
  mkdirSync(join(dir, 'folder'))
  symlinkSync('nowhere', join(dir, 'folder', 'link'))
  const cases: [FileSource, TransferOptions, string][] = [
    [join(dir, 'none'), {}, 'SOURCE_UNREADABLE'],
    [join(dir, 'folder'), {}, 'SOURCE_UNREADABLE'],
    [content, { name: 'a/b' }, 'FILENAME_UNSAFE'],
    [content, { name: 'é'.repeat(128) }, 'FILENAME_TOO_LONG'],
    [new URL('https://example.org/a'), {}, 'CONFIG_INVALID'],
  ]
  for (const [file, options, code] of cases) {
    const { result } = transferFile(peer.streams, SERVER_ADDRESS, file, options)
    await assert.rejects(result, { code })
  }
  await assert.rejects(transferFile(peer.streams, '0:1', content, { name: 'a' }).result, {
    code: 'ADDRESS_INVALID',
  })
  assert.equal(peer.connections, 0)
})

test('a folder is sent as an archive, and gone on with as a file is', async t => {
  const peer = await MemoryReceiver.start(t)
  const dir = makeTree(join(tempDir(t), 'photos'), { 'a.jpg': content, 'd/b.jpg': 'b', 'empty/': '' })
  symlinkSync('a.jpg', join(dir, 'link'))
  const sent = await transferFile(peer.streams, 'server', dir, { skipSpecial: true }).result
  assert.deepEqual(
    [sent.filename, sent.verified, sent.folder],
    ['photos.tar', true, { files: 2, folders: 2, skipped: ['link'] }],
  )
  const archive = peer.files.pop()?.data
  assert.equal(archive?.length, sent.size)

  peer.partials.set(sent.sha256.slice(0, 32), (archive ?? content).subarray(0, 3 * CHUNK))
  const again = await transferFile(peer.streams, 'server', `${dir}/`, { name: 'photos', skipSpecial: true })
    .result
  assert.deepEqual([again.filename, again.sha256, again.bytesResumed], ['photos.tar', sent.sha256, 3 * CHUNK])
  assert.ok(archive && peer.files.pop()?.data.equals(archive))
})

test('a folder in which a file changes while it is sent does not arrive', async t => {
  const dir = makeTree(join(tempDir(t), 'x'), { a: content, b: 'as it was' })
  const peer = await MemoryReceiver.start(
    t,
    at('init', () => {
      writeFileSync(join(dir, 'b'), 'otherwise')
      utimesSync(join(dir, 'b'), 1, 1)
      return false
    }),
  )
  await assert.rejects(transferFile(peer.streams, 'server', dir).result, {
    name: 'DeliveryError',
    code: 'SOURCE_CHANGED',
    message: /x\/b changed while it was sent/,
  })
  assert.deepEqual(peer.files, [])
})

test('a lost FILE is not sent again: the peer may have it', async t => {
  const peer = await MemoryReceiver.start(t, (frame, { stream }) => {
    if (frame.type === FrameType.File) stream.destroy()
    return frame.type === FrameType.File
  })
  const { result } = send(peer, content, { transport: 'file' })
  await assert.rejects(result, (error: DeliveryError) => error.code === 'CONNECTION_CLOSED')
  assert.equal(peer.connections, 1)
})
