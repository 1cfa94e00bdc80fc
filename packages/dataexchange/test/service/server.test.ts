import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Server } from '#lib/service/server.js'
import { readFrame, writeFrame } from '#lib/wire/frame-io.js'
import { recordingLogger, text } from '../../../../test/helpers/service-harness.ts'
import { SERVER_ADDRESS, socketStreams } from '../../../../test/helpers/socket-streams.ts'

test('an error of the frame handler ends its stream, and is logged as an error', async t => {
  const streams = socketStreams(t)
  const { logger, log } = recordingLogger()
  const fail = () => {
    throw new Error('handler failed')
  }
  const server = new Server(streams, fail, { logger })
  const serving = server.listenAndServe()
  t.after(async () => {
    await server.close()
    await serving
  })
  await new Promise(resolve => setImmediate(resolve))
  const stream = await streams.dial(SERVER_ADDRESS, 1001)
  await writeFrame(stream, text('x'))
  assert.equal(await readFrame(stream), null)
  const errors = log.filter(({ level }) => level === 'error').map(({ message }) => message)
  assert.deepEqual(errors, ['the frame handler failed'])
})
