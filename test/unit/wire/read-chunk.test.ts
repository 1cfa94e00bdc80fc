import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { readChunk } from '#lib/wire/read-chunk.js'

test('a wait that is ended takes nothing, and leaves no listener', async () => {
  const stream = new PassThrough()
  let stop = () => {}
  const chunk = readChunk(stream, undefined, ending => {
    stop = ending
  })
  stop()
  assert.equal(await chunk, null)
  assert.deepEqual(stream.eventNames(), new PassThrough().eventNames())

  stream.write('later')
  assert.equal(String(await readChunk(stream)), 'later')
  // The wait is over: there is nothing left to end.
  stop()
  stream.end('end')
  assert.equal(String(await readChunk(stream)), 'end')
  assert.equal(await readChunk(stream), null)
})

test('a wait ends with the error of the stream', async () => {
  const stream = new PassThrough()
  const chunk = readChunk(stream)
  stream.destroy(new Error('broken'))
  await assert.rejects(chunk, /broken/)
})
