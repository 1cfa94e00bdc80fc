import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { LeaseFolder } from '#lib/mailbox/consumers/lease-folder.js'
import { ReadyQueue } from '#lib/mailbox/consumers/ready-queue.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const ALL = { names: [], list: true }
const NOTHING = { names: [], list: false }

/** A queue of an inbox with the messages `ids`. */
async function queueOf(
  dir: string,
  ids: readonly string[],
): Promise<{ queue: ReadyQueue; leases: LeaseFolder }> {
  for (const id of ids) writeFileSync(join(dir, `${id}.json`), '{}')
  const leases = new LeaseFolder(dir, 'g', false)
  await leases.open()
  return { queue: new ReadyQueue(dir, leases), leases }
}

function drain(queue: ReadyQueue): string[] {
  const ids: string[] = []
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) ids.push(id)
  return ids
}

const [A, B, C] = ['1', '2', '3'].map(n => `TEXT-20260101-100000.000-00000${n}`) as [string, string, string]

test('queues the messages of a listing once, oldest first, without those that are done', async t => {
  const { queue, leases } = await queueOf(tempDir(t), [B, A, C])
  await leases.setDone(B)
  await queue.refresh(ALL)
  await queue.refresh(ALL)
  assert.deepEqual(drain(queue), [A, C])
  assert.equal(queue.nextDue, Number.POSITIVE_INFINITY)
})

test('queues the files that a notification names, if they are messages', async t => {
  const dir = tempDir(t)
  const { queue } = await queueOf(dir, [])
  await queue.refresh(ALL)
  await queueOf(dir, [A])
  await queue.refresh({ names: [`${A}.json`, `${B}.json`, 'note.txt', '.tmp'], list: false })
  assert.deepEqual(drain(queue), [A])
})

test('queues a message again when its time has come, as the disk has it', async t => {
  const { queue, leases } = await queueOf(tempDir(t), [A, B])
  await queue.refresh(ALL)
  drain(queue)
  const later = Date.now() + 60_000
  await leases.acquire(A, 1, later)
  queue.set(A, later)
  queue.set(B, Number.POSITIVE_INFINITY)
  assert.equal(queue.nextDue, later)
  await queue.refresh(NOTHING)
  assert.deepEqual(drain(queue), [])
  await leases.setUntil(A, 1, Date.now())
  queue.readAgain()
  await queue.refresh(NOTHING)
  assert.deepEqual(drain(queue), [A, B])
})

test('forgets messages that are gone, and never learns of them by an update', async t => {
  const dir = tempDir(t)
  const { queue, leases } = await queueOf(dir, [A])
  await leases.setDone(A)
  rmSync(join(dir, `${A}.json`))
  await queue.refresh(ALL)
  assert.deepEqual(await leases.readAll(), new Map())
  queue.update(A, 5)
  assert.equal(queue.nextDue, Number.POSITIVE_INFINITY)
})
