import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { transferFile } from 'pilot-dataexchange'
import { Driver } from '#lib/pilot/driver.js'
import { CuttingProxy } from '../helpers/cutting-proxy.ts'
import { startPeer, startServiceNode } from '../helpers/nodes.ts'
import { tempDir } from '../helpers/temp-dir.ts'

const content = randomBytes(3_000_000)
const only = (files: Map<string, Buffer>) => (files.size === 1 ? [...files.values()][0] : undefined)

test('a file goes from node to node, verified', async t => {
  const folder = tempDir(t)
  const alice = await startServiceNode(t, folder, 'alice')
  const bob = await startPeer(t, folder, 'bob')
  for (const size of [0, 1, 49_152, 49_153, content.length]) {
    const data = content.subarray(0, size)
    const {
      size: bytes,
      transport,
      verified,
    } = await transferFile(bob.driver, 'alice', data, {
      name: `${size}.bin`,
    }).result
    assert.deepEqual([bytes, transport, verified], [size, 'stream', true])
  }
  const stored = [...alice.files()].map(([name, data]) => [name.split('-')[0], data.length])
  assert.deepEqual(
    stored.map(([name]) => Number(name)),
    stored.map(([, length]) => length),
  )
  assert.ok(alice.files().size === 5)
})

test('a transfer that was aborted is resumed by the next', async t => {
  const folder = tempDir(t)
  const alice = await startServiceNode(t, folder, 'alice')
  const bob = await startPeer(t, folder, 'bob')
  const stop = new AbortController()
  const broken = transferFile(bob.driver, alice.daemon.address, content, {
    name: 'a.bin',
    signal: stop.signal,
    onProgress: ({ bytesDone }) => bytesDone > 1_000_000 && stop.abort(),
  })
  await assert.rejects(broken.result, { code: 'ABORTED' })
  assert.equal(alice.files().size, 0)

  const receipt = await transferFile(bob.driver, alice.daemon.address, content, { name: 'a.bin' }).result
  assert.ok(receipt.bytesResumed > 1_000_000 && receipt.bytesSent === content.length - receipt.bytesResumed)
  assert.ok(only(alice.files())?.equals(content))
  assert.deepEqual(readdirSync(join(alice.receivedDir, '.partial')), [])
})

test('a quota is a refusal that is told, and nothing is sent again', async t => {
  const folder = tempDir(t)
  const alice = await startServiceNode(t, folder, 'alice', { receivedMaxBytes: 1_000_000 })
  const bob = await startPeer(t, folder, 'bob')
  const { result } = transferFile(bob.driver, alice.daemon.address, content, { name: 'a.bin' })
  await assert.rejects(result, { code: 'PEER_REFUSED', message: /received folder full/ })
  assert.equal(alice.files().size, 0)
})

test('cut at random bytes, a transfer arrives all the same', async t => {
  const folder = tempDir(t)
  const alice = await startServiceNode(t, folder, 'alice')
  const bob = await startPeer(t, folder, 'bob')
  const cuts = Array.from({ length: 5 }, () => 100_000 + Math.floor(Math.random() * 2_000_000))
  const path = join(folder, 'cut.sock')
  await using proxy = await CuttingProxy.start(path, bob.daemon.socketPath, cuts)
  const driver = await Driver.connect(path)
  t.after(() => driver.close())
  const receipt = await transferFile(driver, alice.daemon.address, content, { name: 'a.bin' }).result
  assert.deepEqual([proxy.made, receipt.reconnects, receipt.verified], [5, 5, true], `cuts: ${cuts}`)
  assert.ok(only(alice.files())?.equals(content))
})
