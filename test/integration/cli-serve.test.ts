import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { parseAddress } from '#lib/pilot/address.js'
import { Driver } from '#lib/pilot/driver.js'
import { MAIN, type Running, Sandbox } from '../helpers/cli.js'

const run = promisify(execFile)

async function startedData(serving: Running) {
  return JSON.parse(await serving.line(/"status":"ok"/)).data
}

test('serve prints who it is and where things go; its command works from a second terminal', async t => {
  const box = new Sandbox(t)
  const serving = box.start(['serve', '--hostname', 'bob'])
  const command = (await serving.line(/send-message/)).trim()
  const { stdout } = await run('sh', ['-c', command], { env: box.env })
  assert.equal(stdout, 'ACK TEXT 5 bytes\n')
  await serving.line(/TEXT from 0:0000\..*, 5 B$/)

  serving.child.kill('SIGINT')
  const { code, stdout: told, stderr } = await serving.done
  assert.equal(code, 0)
  assert.match(told, /^address: +0:0000\.[0-9A-F]{4}\.[0-9A-F]{4}$/m)
  assert.match(told, /^hostname: +bob$/m)
  assert.match(told, /^daemon: +embedded, for this machine only/m)
  assert.ok(told.includes(join(box.home, 'inbox')) && told.includes(join(box.home, 'received')))
  assert.match(stderr, /stopping/)
  assert.ok(!existsSync(box.socket), 'the socket is gone')
})

test('the command names a socket that is not the usual one, quoted for the shell', async t => {
  const box = new Sandbox(t)
  const socket = join(box.dir, "it's here")
  box.env.PILOT_SOCKET = socket
  const serving = box.start(['serve'])
  const command = (await serving.line(/send-message/)).trim()
  const elsewhere = { ...box.env, PILOT_SOCKET: undefined }
  const { stdout } = await run('sh', ['-c', command], { env: elsewhere })
  assert.equal(stdout, 'ACK TEXT 5 bytes\n')
})

test('installed as pilot-dx, the command names it so', async t => {
  const box = new Sandbox(t)
  const bin = join(box.dir, 'bin')
  mkdirSync(bin)
  symlinkSync(MAIN, join(bin, 'pilot-dx'))
  const serving = box.start(['serve'], [], join(bin, 'pilot-dx'))
  const command = (await serving.line(/send-message/)).trim()
  assert.match(command, /^pilot-dx send-message 0:/)
})

test('serve --json tells its start and every event, a line each; the identity stays', async t => {
  const box = new Sandbox(t)
  const first = box.start(['serve', '--json'])
  const data = await startedData(first)
  assert.equal(data.embedded, true)
  assert.deepEqual([data.socket, data.inbox], [box.socket, join(box.home, 'inbox')])
  const sent = await box.ok(['send-message', data.address, 'x'])
  const file = join(box.dir, 'f.txt')
  writeFileSync(file, 'abc')
  await box.ok(['send-file', data.address, file])
  assert.deepEqual(JSON.parse(await first.line(/message\.received/)), {
    event: 'message.received',
    type: 'TEXT',
    from: data.address,
    size: 1,
    message_id: sent.message_id,
  })
  const received = JSON.parse(await first.line(/file\.received/))
  assert.deepEqual([received.filename, received.size], ['f.txt', 3])
  assert.equal(readFileSync(received.path, 'utf8'), 'abc')
  first.child.kill('SIGTERM')
  const { code, stderr } = await first.done
  assert.equal(code, 0)
  for (const line of stderr.trim().split('\n')) assert.equal(typeof JSON.parse(line).msg, 'string')

  const second = box.start(['serve', '--json', '--inbox', join(box.dir, 'in')])
  const again = await startedData(second)
  assert.deepEqual([again.address, again.inbox], [data.address, join(box.dir, 'in')])
})

test('--quiet prints the start and nothing of what comes', async t => {
  const box = new Sandbox(t)
  const serving = box.start(['serve', '--quiet'])
  const address = (await serving.line(/^address/)).split(/\s+/)[1] ?? ''
  await serving.line(/send-message/)
  await box.ok(['send-message', address, 'x'])
  serving.child.kill('SIGINT')
  const { stdout, stderr } = await serving.done
  assert.doesNotMatch(stdout, /TEXT from/)
  assert.equal(stderr, '')
})

test('limits are those asked for: what does not fit is refused, exit code 1', async t => {
  const box = new Sandbox(t)
  const limits = ['--inbox-max-bytes', '100', '--received-max-bytes', '1KiB', '--max-frame', '1MiB']
  const serving = box.start(['serve', '--json', ...limits, '--idle-timeout', 'off', '--include-base64'])
  const { address } = await startedData(serving)
  const message = await box.fails(['send-message', address, 'x'.repeat(200)])
  assert.deepEqual([message.exit, message.error_code], [1, 'PEER_REFUSED'])
  assert.match(message.message, /inbox full/)
  const file = join(box.dir, 'f')
  writeFileSync(file, Buffer.alloc(2000))
  const refused = await box.fails(['send-file', address, file])
  assert.match(refused.message, /received folder full/)
  await serving.line(/"event":"inbox\.full"/)
  await serving.line(/"event":"received\.full"/)
})

test('serve attaches to a daemon, loses it, says so, and is back', async t => {
  const box = new Sandbox(t)
  const options = {
    socketPath: box.socket,
    identityFile: join(box.dir, 'node.json'),
    directory: join(box.dir, 'nodes'),
  }
  const daemon = await EmbeddedDaemon.start(options)
  t.after(() => daemon.close())
  const serving = box.start(['serve', '--no-embedded', '--hostname', 'carol'])
  await serving.line(/^daemon: +attached/)
  assert.equal(daemon.hostname, 'carol')
  await serving.line(/send-message/)
  await daemon.close()
  await serving.errorLine(/daemon closed the socket/)
  const back = await EmbeddedDaemon.start(options)
  t.after(() => back.close())
  await serving.errorLine(/connected to the daemon again/)
  await box.ok(['send-message', back.address.toString(), 'x'])
  serving.child.kill('SIGINT')
  assert.equal((await serving.done).code, 0)
})

test('a port that is taken names the likely holder, exit code 1; nothing else is touched', async t => {
  const box = new Sandbox(t)
  const serving = box.start(['serve', '--json'])
  const { address } = await startedData(serving)
  const error = await box.fails(['serve'])
  assert.deepEqual([error.exit, error.error_code], [1, 'PORT_IN_USE'])
  assert.match(error.hint, /-no-dataexchange/)
  await box.ok(['send-message', address, 'x'])
  const embedded = await box.fails(['serve', '--embedded'])
  assert.deepEqual([embedded.exit, embedded.error_code], [1, 'SOCKET_IN_USE'])
})

test('--no-embedded without a daemon is exit code 3', async t => {
  const box = new Sandbox(t)
  const { exit, error_code: library } = await box.fails(['serve', '--no-embedded'])
  assert.deepEqual([exit, library], [3, 'DAEMON_UNAVAILABLE'])
})

test('a folder that cannot be used is exit code 1, and a name that cannot be is 2', async t => {
  const box = new Sandbox(t)
  const file = join(box.dir, 'file')
  writeFileSync(file, '')
  const folder = await box.fails(['serve', '--inbox', join(file, 'inbox')])
  assert.deepEqual([folder.exit, folder.error_code], [1, 'STORE_FAILED'])
  assert.match(folder.hint, /can be written/)
  const name = await box.fails(['serve', '--hostname', 'not a name'])
  assert.deepEqual([name.exit, name.code], [2, 'invalid_argument'])
  assert.ok(!existsSync(box.socket))
})

test('a second signal ends a stop that takes its time, exit code 130', async t => {
  const box = new Sandbox(t)
  const serving = box.start(['serve', '--json', '--log-level', 'debug'])
  const { address } = await startedData(serving)
  // Half a frame: the stop waits for the rest, a while.
  const driver = await Driver.connect(box.socket)
  t.after(() => driver.close())
  const stream = await driver.dial(parseAddress(address), 1001)
  stream.write(Buffer.from([0, 0, 0, 1, 0, 0, 0, 9, 65]))
  await box.ok(['send-message', address, 'x'])
  serving.child.kill('SIGINT')
  const again = setInterval(() => serving.child.kill('SIGINT'), 50)
  const startedAt = performance.now()
  const { code } = await serving.done
  clearInterval(again)
  assert.equal(code, 130)
  assert.ok(performance.now() - startedAt > 200, 'two signals of one key are one')
})

test('under the condition no_dataexchange nothing is bound and nothing is written', async t => {
  const box = new Sandbox(t)
  const serving = box.start(['serve', '--json'], ['--conditions=no_dataexchange'])
  const { address, inbox } = await startedData(serving)
  assert.equal(inbox, null)
  assert.equal((await box.fails(['send-message', address, 'x'])).exit, 4)
  assert.deepEqual(readdirSync(box.home), ['embedded-node.json'])
})

test('Ctrl-C ends a command that is under way', async t => {
  const box = new Sandbox(t)
  const watching = box.start(['inbox', '--watch'])
  await watching.errorLine(/^watching /)
  watching.child.kill('SIGINT')
  const [code, signal] = await once(watching.child, 'close')
  assert.deepEqual([code, signal], [null, 'SIGINT'])
})

test('serve tells a sender that may not send, or sends too much, and keeps nothing of it', async t => {
  const box = new Sandbox(t)
  const refused = async (...rules: string[]) => {
    const serving = box.start(['--json', 'serve', ...rules])
    const { address } = await startedData(serving)
    const answers: { code: number | null; stderr: string }[] = []
    for (let i = 0; i < 2; i++) answers.push(await box.run(['send-message', address, 'hello']))
    serving.child.kill('SIGTERM')
    await serving.done
    return answers
  }
  for (const { code, stderr } of await refused('--deny', '0:*')) {
    assert.equal(code, 1)
    assert.match(stderr, /this sender may not send here/)
  }
  const [first, second] = await refused('--allow', '0:*', '--rate-bytes', '1')
  assert.equal(first?.code, 0)
  assert.match(second?.stderr ?? '', /this sender sends too much/)
  assert.equal(readdirSync(join(box.home, 'inbox')).filter(name => name.endsWith('.json')).length, 1)
})

test('serve refuses an invalid rule or share', async t => {
  const box = new Sandbox(t)
  for (const [args, why] of [
    [['--deny', 'alice'], /"alice" is neither an address .* nor a network/],
    [['--inbox-share', '2'], /fraction of 1/],
    [['--when-full', 'explode'], /evict, refuse/],
  ] as const) {
    const { code, stderr } = await box.run(['serve', ...args])
    assert.equal(code, 2)
    assert.match(stderr, why)
  }
})
