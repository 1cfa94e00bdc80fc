import assert from 'node:assert/strict'
import { existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Mailbox } from '#lib/mailbox/mailbox.js'
import {
  clearPartials,
  clearReceived,
  listReceived,
  type ReceivedFilter,
  statReceived,
} from '#lib/mailbox/received/read.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const FOLDER = 'photos-20260101-100000.000-000001'

test('lists files and unpacked folders newest first, and clears those of before a time', async t => {
  const dir = tempDir(t)
  for (const [i, name] of ['old.txt', 'new.txt'].entries()) {
    writeFileSync(join(dir, name), name)
    utimesSync(join(dir, name), 1_000 + i, 1_000 + i)
  }
  mkdirSync(join(dir, FOLDER, 'in it'), { recursive: true })
  writeFileSync(join(dir, FOLDER, 'in it', 'a'), 'abc')
  const { files, total } = await listReceived(dir)
  assert.equal(total, 3)
  assert.deepEqual(
    files.map(({ name, size, files }) => [name, size, files]),
    [
      [FOLDER, 3, 1],
      ['new.txt', 7, undefined],
      ['old.txt', 7, undefined],
    ],
  )
  assert.equal((await listReceived(dir, { since: 1_001_000 })).total, 2)
  assert.deepEqual(await clearReceived(dir, 1_001_000), { cleared: 1, remaining: 2 })
  assert.deepEqual(await clearReceived(dir), { cleared: 2, remaining: 0 })
  assert.deepEqual(await listReceived(join(dir, 'missing')), { files: [], total: 0 })
})

test('finds files by their sender and by either of their names', async t => {
  const root = tempDir(t)
  const dir = join(root, 'received')
  const mailbox = await Mailbox.open({ inboxDir: join(root, 'inbox'), receivedDir: dir, durability: 'os' })
  t.after(() => mailbox.close())
  for (const [from, filename] of [
    ['a', 'Report.pdf'],
    ['b', 're:port'],
    ['b', 'other.txt'],
  ] as const) {
    await mailbox.storeFile({ filename, length: 1, from }, Buffer.from('a'))
  }
  writeFileSync(join(dir, 'report of another program'), '')
  const count = async (filter: ReceivedFilter) => {
    const { files, total } = await listReceived(dir, filter)
    return [files.length, total]
  }
  assert.deepEqual(await count({ from: 'b' }), [2, 2])
  assert.deepEqual(await count({ from: 'b', name: 're:p' }), [1, 1])
  assert.deepEqual(await count({ name: 'report' }), [2, 2])
  assert.deepEqual(await count({ name: 'report', limit: 1 }), [1, 2])
})

test('links and other folders are neither listed nor removed', async t => {
  const dir = tempDir(t)
  const outside = join(tempDir(t), 'target')
  writeFileSync(outside, '')
  symlinkSync(outside, join(dir, 'link'))
  mkdirSync(join(dir, 'folder'))
  assert.deepEqual(await listReceived(dir), { files: [], total: 0 })
  assert.deepEqual(await clearReceived(dir), { cleared: 0, remaining: 0 })
  for (const name of ['link', 'folder', 'missing']) assert.equal(await statReceived(dir, name), undefined)
  assert.ok(existsSync(outside) && existsSync(join(dir, 'link')))
})

test('clears partial files with those that say whose they are, and nothing else', async t => {
  const dir = tempDir(t)
  const partials = join(dir, '.partial')
  const id = '0'.repeat(32)
  assert.equal(await clearPartials(dir), 0)
  mkdirSync(partials)
  for (const name of [id, `${id}.owner`, `${id}-x`, 'other']) writeFileSync(join(partials, name), '')
  assert.equal(await clearPartials(dir, 1), 0)
  assert.equal(await clearPartials(dir), 2)
  assert.ok(existsSync(join(partials, 'other')) && !existsSync(join(partials, `${id}.owner`)))
})

test('a path that is not a folder is an error', async t => {
  const file = join(tempDir(t), 'file')
  writeFileSync(file, '')
  for (const use of [listReceived, clearReceived]) await assert.rejects(use(file), { code: 'ENOTDIR' })
})
