import assert from 'node:assert/strict'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { EmbeddedDaemon } from '#lib/embedded/index.js'
import { Address } from '#lib/pilot/address.js'
import { Command } from '#lib/pilot/ipc-messages.js'
import { connectTo, startDaemon } from '../../../../test/helpers/embedded.js'
import { spawnLine } from '../../../../test/helpers/spawn-line.js'
import { tempDir } from '../../../../test/helpers/temp-dir.js'

test('sockets have mode 0600 and folders 0700, whatever the umask', async t => {
  const before = process.umask(0)
  t.after(() => process.umask(before))
  const folder = tempDir(t)
  const a = await startDaemon(t, folder, 'a', { socketPath: join(folder, 'new/deep/a.sock') })
  const mode = (path: string) => statSync(join(folder, path)).mode & 0o777
  assert.equal(mode('new'), 0o700)
  assert.equal(mode('new/deep'), 0o700)
  assert.equal(mode('new/deep/a.sock'), 0o600)
  assert.equal(mode('nodes'), 0o700)
  const socket = readdirSync(join(folder, 'nodes')).find(name => name.endsWith('.sock'))
  assert.equal(mode(`nodes/${socket}`), 0o600)
  assert.equal(a.hostname, 'a')
})

test('a folder of nodes that is open to others is closed to them', async t => {
  const folder = tempDir(t)
  mkdirSync(join(folder, 'nodes'))
  chmodSync(join(folder, 'nodes'), 0o777)
  await startDaemon(t, folder)
  assert.equal(statSync(join(folder, 'nodes')).mode & 0o777, 0o700)
})

test('a folder of nodes behind a link is refused', async t => {
  const folder = tempDir(t)
  mkdirSync(join(folder, 'elsewhere'))
  symlinkSync('elsewhere', join(folder, 'nodes'))
  await assert.rejects(startDaemon(t, folder), { code: 'CONFIG_INVALID', message: /is not a folder/ })
})

test('close leaves nothing behind and may be called twice', async t => {
  const folder = tempDir(t)
  const a = await startDaemon(t, folder)
  const client = await connectTo(t, a)
  await Promise.all([a.close(), a.close()])
  await client.closed
  assert.deepEqual(readdirSync(folder), ['nodes'])
  assert.deepEqual(readdirSync(join(folder, 'nodes')), [])
})

test('close removes the socket only while it is its own', async t => {
  const folder = tempDir(t)
  const a = await startDaemon(t, folder)
  rmSync(a.socketPath)
  const successor = createServer().listen(a.socketPath)
  t.after(() => successor.close())
  await a.close()
  assert.ok(existsSync(a.socketPath))
})

test('a live daemon is never replaced, and is not disturbed', async t => {
  const folder = tempDir(t)
  const a = await startDaemon(t, folder)
  const client = await connectTo(t, a)
  await assert.rejects(startDaemon(t, folder), { code: 'SOCKET_IN_USE', message: /a\.sock/ })
  assert.equal((await client.json(Command.Health)).address, `${a.address}`)
  assert.equal(readdirSync(join(folder, 'nodes')).length, 2)
})

test('a socket of any other program is not replaced while it lives', async t => {
  const folder = tempDir(t)
  const other = createServer().listen(join(folder, 'a.sock'))
  t.after(() => other.close())
  await assert.rejects(startDaemon(t, folder), { code: 'SOCKET_IN_USE' })
})

test('a file that is not a socket is not replaced', async t => {
  const folder = tempDir(t)
  writeFileSync(join(folder, 'a.sock'), 'precious')
  await assert.rejects(startDaemon(t, folder), { code: 'CONFIG_INVALID', message: /is not a socket/ })
  assert.equal(readFileSync(join(folder, 'a.sock'), 'utf8'), 'precious')
  assert.deepEqual(readdirSync(join(folder, 'nodes')), [])
})

test('a path too long for a socket is refused with a way out', async t => {
  const folder = tempDir(t)
  for (const length of [101, 108, 300]) {
    const socketPath = join(folder, 'x'.repeat(length - folder.length - 1))
    await assert.rejects(startDaemon(t, folder, 'a', { socketPath }), {
      code: 'CONFIG_INVALID',
      message: new RegExp(`has ${length} bytes, at most \\d+ .* shorter path`),
    })
  }
})

test('the socket, address and name of a killed daemon are replaced', async t => {
  const folder = tempDir(t)
  const options = childOptions(folder)
  const { child, line } = await spawnLine(t, 'embedded-child.js', JSON.stringify(options))
  assert.equal(line, '0:0000.0000.0007 phoenix')
  const killed = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await killed
  assert.ok(existsSync(options.socketPath))

  const heir = await startDaemon(t, folder, 'heir')
  const client = await connectTo(t, heir)
  await assert.rejects(client.dial('0:0000.0000.0007', 1), /no node with the address/)
  await assert.rejects(client.json(Command.ResolveHostname, 'phoenix'), /no node named/)
  const again = await startDaemon(t, folder, 'x', {
    ...options,
    address: new Address(0, 7),
    hostname: 'phoenix',
  })
  assert.equal(again.hostname, 'phoenix')
  assert.deepEqual(readdirSync(folder).sort(), ['heir.sock', 'nodes', 'x.sock'])
})

test('exactly one of several daemons that start on one path at the same moment wins', async t => {
  for (const stale of [false, true]) {
    const folder = tempDir(t)
    const options = { ...childOptions(folder), address: undefined, hostname: 'same' }
    if (stale) {
      const { child } = await spawnLine(t, 'embedded-child.js', JSON.stringify(options))
      const gone = new Promise(resolve => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    }
    const racers = await race(t, 5, options)
    const winners = racers.filter(line => line !== 'SOCKET_IN_USE')
    assert.equal(winners.length, 1, racers.join())
    assert.match(winners[0]!, /^0:0000\.[0-9A-F.]{9} same/)
    assert.deepEqual(readdirSync(folder).sort(), ['nodes', 'x.sock'])
  }
})

test('nodes that start at the same moment get different names', async t => {
  const folder = tempDir(t)
  const names = ['a', 'b', 'c', 'd', 'e', 'f']
  const daemons = await Promise.all(names.map(name => startDaemon(t, folder, name, { hostname: 'same' })))
  assert.equal(new Set(daemons.map(daemon => daemon.hostname)).size, names.length)
  for (const { hostname } of daemons) assert.match(hostname, /^same(-\d+)?$/)
})

test('the identity is kept between runs, also after a rename', async t => {
  const folder = tempDir(t)
  const identityFile = join(folder, 'made/identity.json')
  const first = await startDaemon(t, folder, 'a', { identityFile, hostname: undefined })
  const address = `${first.address}`
  assert.equal(statSync(identityFile).mode & 0o777, 0o600)
  const client = await connectTo(t, first)
  await client.json(Command.SetHostname, 'renamed')
  await first.close()

  const second = await startDaemon(t, folder, 'a', { identityFile, hostname: undefined })
  assert.equal(`${second.address}`, address)
  assert.equal(second.hostname, 'renamed')
  // The same identity cannot run twice.
  await assert.rejects(startDaemon(t, folder, 'b', { identityFile }), { code: 'SOCKET_IN_USE' })
  assert.deepEqual(readdirSync(join(folder, 'made')), ['identity.json'])
})

test('a number appended to a stored name is for one run only', async t => {
  const folder = tempDir(t)
  const identityFile = join(folder, 'identity.json')
  await (await startDaemon(t, folder, 'a', { identityFile, hostname: 'mine' })).close()
  const thief = await startDaemon(t, folder, 'thief', { hostname: 'mine' })
  const crowded = await startDaemon(t, folder, 'a', { identityFile, hostname: undefined })
  assert.equal(crowded.hostname, 'mine-2')
  await Promise.all([thief.close(), crowded.close()])
  const free = await startDaemon(t, folder, 'a', { identityFile, hostname: undefined })
  assert.equal(free.hostname, 'mine')
})

test('a damaged identity file is reported, not replaced', async t => {
  const folder = tempDir(t)
  const identityFile = join(folder, 'identity.json')
  for (const text of ['', '{"address":"0:0000.0000"}', 'null']) {
    writeFileSync(identityFile, text)
    await assert.rejects(startDaemon(t, folder, 'a', { identityFile }), {
      code: 'CONFIG_INVALID',
      message: /identity file .* damaged/,
    })
    assert.equal(readFileSync(identityFile, 'utf8'), text)
  }
})

test('invalid addresses and invalid names are refused', async t => {
  const folder = tempDir(t)
  for (const node of [0, 0xffff_ffff]) {
    const start = EmbeddedDaemon.start({
      socketPath: join(folder, 'a.sock'),
      directory: folder,
      address: new Address(0, node),
    })
    await assert.rejects(start, { code: 'CONFIG_INVALID' })
  }
  await assert.rejects(startDaemon(t, folder, 'a', { hostname: 'no_name' }), { code: 'DAEMON_REFUSED' })
})

function childOptions(folder: string) {
  return {
    socketPath: join(folder, 'x.sock'),
    directory: join(folder, 'nodes'),
    hostname: 'phoenix',
    address: '0:0000.0000.0007',
  }
}

async function race(t: TestContext, racers: number, options: object): Promise<string[]> {
  const args = JSON.stringify({ ...options, at: Date.now() + 1_000 })
  const started = Array.from({ length: racers }, () => spawnLine(t, 'embedded-child.js', args))
  return (await Promise.all(started)).map(({ line }) => line)
}

test('an identity file, or a folder of nodes, that cannot be created is reported with its path', async t => {
  const folder = tempDir(t)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const identityFile = join(file, 'identity.json')
  await assert.rejects(startDaemon(t, folder, 'a', { identityFile }), {
    code: 'CONFIG_INVALID',
    message: `the identity file ${identityFile} cannot be used: ENOTDIR; use a file in a writable folder`,
  })
  await assert.rejects(startDaemon(t, folder, 'a', { identityFile: folder }), {
    code: 'CONFIG_INVALID',
    message: /cannot be used: EISDIR/,
  })
  await assert.rejects(startDaemon(t, folder, 'a', { directory: join(file, 'nodes') }), {
    code: 'CONFIG_INVALID',
    message: /nodes, in which nodes find each other, cannot be created: ENOTDIR/,
  })
})
