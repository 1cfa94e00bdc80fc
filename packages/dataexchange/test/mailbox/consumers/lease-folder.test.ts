import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { LeaseFolder } from '#lib/mailbox/consumers/lease-folder.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

test('only one of two processes acquires a lease, and only with an up-to-date view', async t => {
  const inbox = tempDir(t)
  const [one, two] = [new LeaseFolder(inbox, 'g', true), new LeaseFolder(inbox, 'g', true)]
  await Promise.all([one.open(), two.open()])
  const until = Date.now() + 60_000
  const acquired = await Promise.all([one.acquire('m', 1, until), two.acquire('m', 1, until)])
  assert.deepEqual(acquired.sort(), [false, true])
  assert.deepEqual(await two.read('m'), { done: false, dead: false, attempt: 1, until })
  assert.equal(await two.acquire('m', 3, until), false)
  await one.setDone('m')
  assert.equal(await two.acquire('m', 1, until), false)
  assert.deepEqual(readdirSync(join(inbox, '.consumers', 'g')).sort(), ['.tmp', 'm.done'])
})

test('the end of a lease moves only while it is the last one', async t => {
  const leases = new LeaseFolder(tempDir(t), 'g', false)
  await leases.open()
  const until = Date.now() + 60_000
  assert.equal(await leases.setUntil('m', 1, until), false)
  await leases.acquire('m', 1, until)
  assert.equal(await leases.setUntil('m', 1, until + 1_000), true)
  assert.equal((await leases.read('m')).until, until + 1_000)
  await leases.acquire('m', 2, until)
  assert.equal(await leases.setUntil('m', 1, until), false)
})

test('readAll lists the state of every message, and ignores other files', async t => {
  const inbox = tempDir(t)
  const leases = new LeaseFolder(inbox, 'g', false)
  await leases.open()
  const names = ['a.1', 'a.2', 'b.done', 'c.dead', 'd.1.1', 'e.0', 'f.12345', 'g']
  for (const name of names) writeFileSync(join(inbox, '.consumers', 'g', name), '')
  const states = await leases.readAll()
  assert.deepEqual([...states.keys()].sort(), ['a', 'b', 'c', 'd.1'])
  assert.equal(states.get('a')?.attempt, 2)
  assert.equal(states.get('b')?.done, true)
  assert.equal(states.get('c')?.dead, true)
})

test('a folder that was removed is created again', async t => {
  const inbox = join(tempDir(t), 'inbox')
  mkdirSync(inbox)
  const leases = new LeaseFolder(inbox, 'g', true)
  await leases.open()
  rmSync(join(inbox, '.consumers'), { recursive: true })
  assert.deepEqual(await leases.readAll(), new Map())
  assert.equal(await leases.acquire('m', 1, Date.now() + 60_000), true)
  rmSync(join(inbox, '.consumers'), { recursive: true })
  await leases.setDone('m')
  assert.equal((await leases.read('m')).done, true)
})
