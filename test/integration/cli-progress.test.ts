import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { Driver } from '#lib/pilot/driver.js'
import { encodeFrame } from '#lib/wire/encode.js'
import { FrameType } from '#lib/wire/frame.js'
import { MAIN, Sandbox } from '../helpers/cli.js'

const hasScript = spawnSync('script', ['--version']).stdout?.includes('util-linux') ?? false
const skip = hasScript ? false : 'util-linux’ script, which makes a terminal, is missing'

test('a transfer that takes longer than a second tells how far it is, on a terminal only', {
  skip,
}, async t => {
  const box = new Sandbox(t)
  const daemon = await EmbeddedDaemon.start({ socketPath: box.socket, directory: join(box.dir, 'nodes') })
  const driver = await Driver.connect(box.socket)
  t.after(async () => {
    await driver.close()
    await daemon.close()
  })
  const payload = Buffer.from('ACK FILE 1000 bytes')
  const answer = Buffer.concat(encodeFrame({ type: FrameType.Text, payload }))
  const listener = await driver.listen(1001)
  void (async () => {
    for await (const stream of listener) {
      stream.once('data', () => setTimeout(() => stream.write(answer), 1_400))
    }
  })()

  const file = join(box.dir, 'f')
  writeFileSync(file, Buffer.alloc(1000))
  const words = [process.execPath, MAIN, 'send-file', daemon.address.toString(), file].join(' ')
  const [onTerminal, piped] = await Promise.all([
    box.startProgram('script', ['-qec', `stty rows 24 cols 100; ${words}`, '/dev/null']).done,
    box.run(['send-file', daemon.address.toString(), file]),
  ])
  assert.match(onTerminal.stdout, /f {2}█{20} 100 % {2}1000 B of 1000 B, .*waiting for the answer/)
  assert.match(onTerminal.stdout, /ACK FILE 1000 bytes/)
  assert.deepEqual([onTerminal.code, piped.code, piped.stderr], [0, 0, ''])
})
