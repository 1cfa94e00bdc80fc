import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Client, deliver, Runtime, Service } from 'pilot-dataexchange'
import { startDaemon } from '../helpers/embedded.ts'
import { type ServiceNode, startPeer, startServiceNode } from '../helpers/nodes.ts'
import { readFiles, readMessages, visible } from '../helpers/service-harness.ts'
import { spawnLine, spawnNode } from '../helpers/spawn-line.ts'
import { tempDir } from '../helpers/temp-dir.ts'

for (const whence of ['another node', 'its own node'] as const) {
  test(`[ipc.no-dataexchange] [ipc.dial-self] [inbox.from] frames of every kind, from ${whence}`, async t => {
    const folder = tempDir(t)
    const node = await startServiceNode(t, folder, 'a')
    const { daemon, driver } = whence === 'its own node' ? node : await startPeer(t, folder, 'b')
    const client = await Client.dial(driver, node.daemon.address)
    const data = randomBytes(3_000_000)
    const answers = await Promise.all([
      client.deliver({ text: 'héllo' }),
      client.deliver({ json: { a: [1] } }),
      client.deliver({ binary: Uint8Array.of(0, 255) }),
      client.deliver({ file: data, name: 'data.bin' }),
      client.deliver({ type: 6, payload: Buffer.from('who?') }),
      client.deliver({ trace: Buffer.from('probe') }),
    ])
    await client.close()
    assert.deepEqual(
      answers.map(receipt => receipt.answer),
      [
        'ACK TEXT 6 bytes',
        'ACK JSON 9 bytes',
        'ACK BINARY 2 bytes',
        'ACK FILE 3000000 bytes',
        'ACK AUTOANSWER 4 bytes',
        'ACK TEXT 5 bytes',
      ],
    )
    const from = `${daemon.address}`
    assert.deepEqual(
      node.messages().map(message => [message.type, message.data, message.from]),
      [
        ['TEXT', 'héllo', from],
        ['JSON', '{"a":[1]}', from],
        ['BINARY', '\0\ufffd', from],
        ['AUTOANSWER', 'who?', from],
        ['TEXT', 'probe', from],
      ],
    )
    assert.deepEqual([...node.files().values()], [data])
  })
}

test('many peers at once, small and large: every message is there once', async t => {
  const folder = tempDir(t)
  const node = await startServiceNode(t, folder, 'a', { durability: 'os' })
  const peers = [node, await startPeer(t, folder, 'b'), await startPeer(t, folder, 'c')]
  const sent: string[] = []
  const send = async (client: Client, who: number, round: number) => {
    const text = `${who}-${round} `.repeat(round % 10 === 0 ? 60_000 : round)
    sent.push(text)
    const receipt = await client.deliver({ text })
    assert.equal(receipt.size, text.length)
  }
  await Promise.all(
    Array.from({ length: 9 }, async (_, who) => {
      await using client = await Client.dial(peers[who % 3]!.driver, node.daemon.address)
      await Promise.all(Array.from({ length: 20 }, (_, round) => send(client, who, round)))
    }),
  )
  assert.deepEqual(
    node
      .messages()
      .map(message => message.data)
      .sort(),
    sent.sort(),
  )
})

test('[ipc.port-taken] a second service on one daemon is refused, and the first goes on', async t => {
  const folder = tempDir(t)
  const node = await startServiceNode(t, folder, 'a')
  const second = new Runtime({ driver: node.driver })
  second.register(new Service({ inboxDir: join(folder, 'i'), receivedDir: join(folder, 'r') }))
  await assert.rejects(second.start(), (error: Error & { code: string }) => {
    assert.equal(error.code, 'SERVICE_START_FAILED')
    assert.equal((error.cause as { code?: string }).code, 'PORT_IN_USE')
    return true
  })
  assert.equal((await deliver(node.driver, node.daemon.address, { text: 'on' })).answer, 'ACK TEXT 2 bytes')
})

test('[plugin.start-stop] a stopped service has left its port, and peers that are connected see the end', async t => {
  const folder = tempDir(t)
  const node = await startServiceNode(t, folder, 'a')
  const peer = await startPeer(t, folder, 'b')
  const client = await Client.dial(peer.driver, node.daemon.address)
  await client.deliver({ text: 'before' })
  await node.runtime.stop()
  assert.equal(await client.recv(), null)
  await client.close()
  await assert.rejects(Client.dial(peer.driver, node.daemon.address), { code: 'DIAL_FAILED' })
  const listener = await node.driver.listen(1001)
  await listener.close()
})

test('a daemon that goes away and comes back has the service again, by itself', {
  timeout: 20_000,
}, async t => {
  const folder = tempDir(t)
  const node = await startServiceNode(t, folder, 'a')
  const peer = await startPeer(t, folder, 'b')
  const { address } = node.daemon
  const client = await Client.dial(peer.driver, address)
  await client.deliver({ text: 'before' })

  await node.daemon.close()
  // Not the clean end of a peer that says so: the stream is over all the same.
  await assert.rejects(client.deliver({ text: 'meanwhile' }), { code: 'CONNECTION_CLOSED' })
  await client.close()
  await assert.rejects(deliver(peer.driver, address, { text: 'meanwhile' }), { code: 'DIAL_FAILED' })

  for (let round = 1; round <= 2; round++) {
    const again = await startDaemon(t, folder, 'a', { address })
    const receipt = await eventually(() => deliver(peer.driver, address, { text: `after ${round}` }))
    assert.equal(receipt.answer, 'ACK TEXT 7 bytes')
    assert.ok((await deliver(node.driver, address, { text: `own ${round}` })).size)
    await again.close()
  }
  assert.deepEqual(
    node.messages().map(message => message.data),
    ['before', 'after 1', 'own 1', 'after 2', 'own 2'],
  )
  const said = node.log.map(entry => entry.message)
  assert.ok(said.includes('connected to the daemon again; the port is bound'), said.join('; '))
})

test('[ack.err-nothing-left] [disk.no-strays] a peer killed in mid-frame leaves nothing behind', async t => {
  const folder = tempDir(t)
  const node = await startServiceNode(t, folder, 'a')
  const peer = await startPeer(t, folder, 'b')
  const { socketPath } = peer.daemon
  const { child } = await spawnLine(t, 'half-frame-child.js', socketPath, `${node.daemon.address}`)
  await until(() => temporaries(node).length === 2)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until(() => temporaries(node).length === 0)
  for (const dir of [node.inboxDir, node.receivedDir]) assert.deepEqual(visible(dir), [])
  assert.deepEqual(node.events, [])
  assert.equal((await deliver(peer.driver, node.daemon.address, { text: 'on' })).answer, 'ACK TEXT 2 bytes')
})

test('[disk.inbox-default] [disk.received-default] [disk.folder-mode] without a configuration the folders are in the home', async t => {
  const { home, address, driver } = await serviceChild(t)
  await deliver(driver, address, { text: 'to the home' })
  await deliver(driver, address, { file: Buffer.from('data'), name: 'f.txt' })
  assert.deepEqual(readdirSync(home), ['.pilot'])
  assert.deepEqual(readdirSync(join(home, '.pilot')).sort(), ['inbox', 'received'])
  for (const dir of ['.pilot', '.pilot/inbox', '.pilot/received'])
    assert.equal(statSync(join(home, dir)).mode & 0o777, 0o700)
  assert.deepEqual(
    readMessages(join(home, '.pilot', 'inbox')).map(message => message.data),
    ['to the home'],
  )
  assert.deepEqual([...readFiles(join(home, '.pilot', 'received')).values()].map(String), ['data'])
})

test('[frame.cap-env] [frame.cap-closes] PILOT_DATAEXCHANGE_MAX_FRAME is the cap of the service', async t => {
  const { address, driver } = await serviceChild(t, { PILOT_DATAEXCHANGE_MAX_FRAME: '65536' })
  // A frame with an id is larger by its header.
  await using client = await Client.dial(driver, address)
  const atTheCap = await client.deliver({ binary: Buffer.alloc(65_536) })
  assert.equal(atTheCap.size, 65_536)
  await assert.rejects(deliver(driver, address, { binary: Buffer.alloc(65_537) }), {
    code: 'CONNECTION_CLOSED',
  })
})

test('[frame.cap-env-range] a cap that is out of range is ignored', async t => {
  const { address, driver } = await serviceChild(t, { PILOT_DATAEXCHANGE_MAX_FRAME: '65535' })
  assert.equal((await deliver(driver, address, { binary: Buffer.alloc(65_536) })).size, 65_536)
})

/** A service without configuration in a process of its own, in an empty home, on a daemon of this process. */
async function serviceChild(t: TestContext, env: Record<string, string> = {}) {
  const folder = tempDir(t)
  const home = join(folder, 'home')
  mkdirSync(home)
  const { daemon, driver } = await startPeer(t, folder, 'a')
  const args = [JSON.stringify({ socketPath: daemon.socketPath })]
  await spawnNode(t, 'service-child.js', { args, env: { HOME: home, ...env } })
  return { home, address: daemon.address, driver }
}

function temporaries({ inboxDir, receivedDir }: ServiceNode): string[] {
  return [inboxDir, receivedDir].flatMap(dir => readdirSync(join(dir, '.tmp')))
}

/** Resolves when `condition` holds: nothing tells when a file appears or goes. */
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 1000, 'it never came')
    await delay(10)
  }
}

/** The result of `attempt` once the peer can be dialled. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if ((error as { code?: string }).code !== 'DIAL_FAILED') throw error
      await delay(20)
    }
  }
}
