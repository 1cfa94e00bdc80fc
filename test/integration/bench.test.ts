import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ackText } from '#lib/wire/ack.js'
import { FrameDecoder } from '#lib/wire/decode.js'
import { encodeFrame } from '#lib/wire/encode.js'
import type { Report } from '../../bench/report.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const run = promisify(execFile)
const BENCH = fileURLToPath(new URL('../../bench/run.js', import.meta.url))

test('the bench measures all contenders, another service too, and leaves nothing behind', async t => {
  const dir = tempDir(t)
  const against = join(dir, 'other.sock')
  const server = createServer(socket => {
    const decoder = new FrameDecoder()
    socket.on('data', chunk => {
      for (const { type, payload } of decoder.push(chunk)) {
        const answer = { type: 1, payload: Buffer.from(ackText(type, payload.length)) }
        for (const piece of encodeFrame(answer)) socket.write(piece)
      }
    })
  })
  server.listen(against)
  await once(server, 'listening')
  t.after(() => server.close())

  const json = join(dir, 'report.json')
  const options = ['--part', 'latency', '--rounds', '2', '--duration', '0.02', '--dir', join(dir, 'data')]
  const { stdout } = await run(process.execPath, [BENCH, ...options, '--json', json, '--against', against])
  const report: Report = JSON.parse(readFileSync(json, 'utf8'))
  assert.equal(report.settings.against, true)
  assert.ok(report.machine.cores > 0)
  const figure = report.figures.find(({ id }) => id === 'latency/8x8/p50')
  assert.ok(figure)
  assert.deepEqual(Object.keys(figure.contenders), ['full', 'os', 'plain', 'synced', 'null', 'against'])
  for (const { median, samples } of Object.values(figure.contenders)) {
    assert.ok(median > 0)
    assert.equal(samples.length, 2)
  }
  assert.ok(figure.ratios.some(({ of, to }) => of === 'full' && to === 'against'))
  assert.ok(stdout.includes(figure.title))
  assert.deepEqual(readdirSync(join(dir, 'data')), [])
})

test('a part that there is not is named, with what there is', async () => {
  await assert.rejects(run(process.execPath, [BENCH, '--part', 'nothing']), (error: { stdout: string }) =>
    /no such part: nothing[\s\S]*--part <name>/.test(error.stdout),
  )
})
