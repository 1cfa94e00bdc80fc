import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { countSyncs, fakeSync, NOT_LINUX, setPath } from '../../helpers/fake-sync.js'
import { tempDir } from '../../helpers/temp-mailbox.js'

type Module = typeof import('#lib/mailbox/journal/sync-messages.js')

const MANY = Array.from({ length: 65 }, (_, i) => `${i}.json`)
const { signal } = new AbortController()
let instances = 0

/** The module as a new process loads it. */
async function freshModule(t: TestContext): Promise<Module['syncMessages']> {
  // The child process does not keep this process alive.
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
  const url = import.meta.resolve('#lib/mailbox/journal/sync-messages.js')
  const module: Module = await import(`${url}?${instances++}`)
  return module.syncMessages
}

async function messageDir(t: TestContext): Promise<string> {
  const dir = await tempDir(t)
  for (const name of MANY) await writeFile(join(dir, name), name)
  return dir
}

for (const [what, prepare] of [
  ['the command fails', (t: TestContext) => fakeSync(t, 'exit 1')],
  ['there is no such command', async (t: TestContext) => setPath(t, '')],
] as const) {
  test(`if ${what}, files are synced one by one`, async t => {
    await prepare(t)
    const synced = await countSyncs(t)
    const syncMessages = await freshModule(t)
    await syncMessages(await messageDir(t), MANY, signal)
    assert.equal(synced.files, MANY.length)
  })
}

test('after a failure the command is not trusted again: the kernel reports an error once', {
  skip: NOT_LINUX,
}, async t => {
  const [one, other, broken] = [await messageDir(t), await messageDir(t), join(await tempDir(t), 'broken')]
  const called = await fakeSync(t, `test ! -e "${broken}"`)
  const synced = await countSyncs(t)
  const syncMessages = await freshModule(t)
  await syncMessages(one, MANY, signal)
  assert.deepEqual([synced.files, await called()], [0, [`-f ${one}`]])
  await writeFile(broken, '')
  await syncMessages(one, MANY, signal)
  await rm(broken)
  await syncMessages(one, MANY, signal)
  await syncMessages(other, MANY, signal)
  assert.deepEqual([synced.files, (await called()).length], [3 * MANY.length, 2])
})

test('while one command runs no other is started: it would not get the same error', {
  skip: NOT_LINUX,
}, async t => {
  const [one, other, go] = [await messageDir(t), await messageDir(t), join(await tempDir(t), 'go')]
  const called = await fakeSync(t, `test "$2" != "${one}" || while test ! -e "${go}"; do sleep 0.01; done`)
  const synced = await countSyncs(t)
  const syncMessages = await freshModule(t)
  const running = syncMessages(one, MANY, signal)
  await syncMessages(other, MANY, signal)
  await writeFile(go, '')
  await running
  assert.equal(synced.files, MANY.length)
  // Both have succeeded.
  await syncMessages(other, MANY, signal)
  assert.deepEqual(await called(), [`-f ${one}`, `-f ${other}`])
})

test('a command that was killed may have got an error, and none is trusted afterwards', {
  skip: NOT_LINUX,
}, async t => {
  const [dir, begun] = [await messageDir(t), join(await tempDir(t), 'begun')]
  const called = await fakeSync(t, `test -e "${begun}" && exit; touch "${begun}"; exec sleep 60`)
  const synced = await countSyncs(t)
  const syncMessages = await freshModule(t)
  const stop = new AbortController()
  const running = assert.rejects(syncMessages(dir, MANY, stop.signal), { name: 'AbortError' })
  while (!existsSync(begun)) await delay(5)
  stop.abort()
  await running
  await syncMessages(dir, MANY, signal)
  assert.deepEqual([synced.files, (await called()).length], [MANY.length, 1])
})
