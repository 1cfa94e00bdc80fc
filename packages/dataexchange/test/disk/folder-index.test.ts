import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { FolderIndex } from '#lib/disk/folder-index.js'
import { tempDir } from '../helpers/temp-mailbox.js'

test('the index counts accepted files and follows the changes of other programs at each listing', async t => {
  const dir = await tempDir(t)
  await mkdir(join(dir, 'folder.json'))
  for (const name of ['a.json', 'b.json', 'c.txt']) await writeFile(join(dir, name), name)
  const index = new FolderIndex(dir, name => name.endsWith('.json'))
  assert.deepEqual((await index.refresh()).map(({ name }) => name).sort(), ['a.json', 'b.json'])
  assert.deepEqual([index.files, index.bytes], [2, 12])
  await rm(join(dir, 'a.json'))
  await writeFile(join(dir, 'd.json'), 'new')
  assert.deepEqual(
    (await index.refresh()).map(({ name }) => name),
    ['d.json'],
  )
  assert.deepEqual([index.files, index.bytes], [2, 9])
  await rm(dir, { recursive: true })
  assert.deepEqual(await index.refresh(), [])
  assert.deepEqual([index.files, index.bytes], [0, 0])
})

test('a file that is being written is counted once, by its writer', async t => {
  const dir = await tempDir(t)
  const index = new FolderIndex(dir, () => true)
  let seq = 0
  const claim = index.reserveName(() => `${++seq}`)
  claim.next()
  await writeFile(join(dir, '2'), 'four')
  assert.deepEqual(await index.refresh(), [])
  index.add('2', 4)
  claim.release()
  assert.deepEqual(await index.refresh(), [])
  assert.deepEqual([index.files, index.bytes], [1, 4])
})

test('a file added during a listing stays in the index', async t => {
  const dir = await tempDir(t)
  const index = new FolderIndex(dir, () => true)
  const listing = index.refresh()
  const entry = index.add('passed over', 5)
  await listing
  assert.deepEqual([index.files, index.bytes, entry.gone], [1, 5, false])
  await index.refresh()
  assert.deepEqual([index.files, index.bytes, entry.gone], [0, 0, true])
})

test('forgetting twice, or adding a name again, counts once', async t => {
  const index = new FolderIndex(await tempDir(t), () => true)
  const first = index.add('a', 5)
  index.add('a', 7)
  assert.deepEqual([index.files, index.bytes, first.gone], [1, 7, true])
  index.forget(first)
  assert.deepEqual([index.files, index.bytes], [1, 7])
})
