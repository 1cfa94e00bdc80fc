import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { ChunkReader, readChunk } from '#lib/wire/read-chunk.js'

test('a stopped wait consumes nothing, and a closed reader has no listener', async () => {
  const stream = new PassThrough()
  const reader = new ChunkReader(stream)
  const chunk = reader.next()
  reader.stop()
  assert.equal(await chunk, null)
  stream.write('later')
  assert.equal(await reader.next(), null)
  reader.close()
  assert.deepEqual(stream.eventNames(), new PassThrough().eventNames())

  assert.equal(String(await readChunk(stream)), 'later')
  stream.end('end')
  assert.equal(String(await readChunk(stream)), 'end')
  assert.equal(await readChunk(stream), null)
  assert.deepEqual(stream.eventNames(), new PassThrough().eventNames())
})

test('many reads of one reader get every byte, in pieces of at most the requested size', async () => {
  const stream = new PassThrough()
  const reader = new ChunkReader(stream)
  const read: string[] = []
  const reading = (async () => {
    for (let chunk = await reader.next(4); chunk !== null; chunk = await reader.next(4)) read.push(`${chunk}`)
  })()
  for (const text of ['ab', 'cdefgh', 'i', 'jklmnopq']) {
    stream.write(text)
    await new Promise(resolve => setImmediate(resolve))
  }
  stream.end()
  await reading
  assert.equal(read.join(''), 'abcdefghijklmnopq')
  assert.ok(
    read.every(piece => piece.length <= 4),
    read.join(),
  )
})

test('a stream that was closed without an error is at its end, for any argument of its close event', async () => {
  const stream = new PassThrough()
  const reader = new ChunkReader(stream)
  const chunk = reader.next()
  stream.emit('close', true)
  stream.destroy()
  assert.equal(await chunk, null)
})

test('a wait ends with the error of the stream', async () => {
  const stream = new PassThrough()
  const chunk = readChunk(stream)
  stream.destroy(new Error('broken'))
  await assert.rejects(chunk, /broken/)
})
