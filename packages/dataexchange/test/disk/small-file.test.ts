import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { makeFolder } from '#lib/disk/directory-sync.js'
import { type FolderLayout, folderLayout } from '#lib/disk/layout.js'
import { SmallFile } from '#lib/disk/small-file.js'
import { failure, replaceSyncFs } from '../helpers/faulty-fs.js'
import { namesIn, tempDir, temporariesIn } from '../helpers/temp-mailbox.js'

async function tempLayout(t: TestContext): Promise<FolderLayout> {
  const layout = folderLayout(await tempDir(t))
  await makeFolder(layout.temporaries, false)
  return layout
}

test('a small file has its bytes, mode and inode, and its final name only after publish', async t => {
  const layout = await tempLayout(t)
  const file = SmallFile.create(layout, Buffer.from('content'))
  assert.deepEqual(await namesIn(layout.dir), [])
  assert.equal((await temporariesIn(layout.dir)).length, 1)
  assert.equal(file.publish('name'), true)
  file.discard()
  file.discard()
  const path = join(layout.dir, 'name')
  const { ino, mode } = await stat(path)
  assert.equal(ino, file.inode)
  assert.equal(mode & 0o777, 0o600)
  assert.equal(await readFile(path, 'utf8'), 'content')
  assert.deepEqual(await temporariesIn(layout.dir), [])
})

test('a taken name is not overwritten', async t => {
  const layout = await tempLayout(t)
  await writeFile(join(layout.dir, 'name'), 'of another program')
  const file = SmallFile.create(layout, Buffer.from('content'))
  assert.equal(file.publish('name'), false)
  file.discard()
  assert.equal(await readFile(join(layout.dir, 'name'), 'utf8'), 'of another program')
})

test('a missing folder is the error of the system', async t => {
  const layout = folderLayout(join(await tempDir(t), 'missing'))
  assert.throws(() => SmallFile.create(layout, Buffer.from('x')), { code: 'ENOENT' })
})

test('short writes are continued; a refused write leaves no file', async t => {
  const layout = await tempLayout(t)
  let left = Number.POSITIVE_INFINITY
  replaceSyncFs(t, 'writeSync', real => (fd, bytes, at, length, position) => {
    if (left <= 0) throw failure('ENOSPC')
    const taken = Math.min(Number(length), 3, left)
    left -= taken
    return real(fd, bytes, at, taken, position)
  })
  const file = SmallFile.create(layout, Buffer.from('0123456789'))
  assert.equal(await readFile(file.path, 'utf8'), '0123456789')
  file.discard()
  left = 5
  assert.throws(() => SmallFile.create(layout, Buffer.from('0123456789')), { code: 'ENOSPC' })
  assert.deepEqual(await temporariesIn(layout.dir), [])
})

test('a file system that writes nothing and reports no error is a fault', async t => {
  const layout = await tempLayout(t)
  replaceSyncFs(t, 'writeSync', () => () => 0)
  assert.throws(() => SmallFile.create(layout, Buffer.from('x')), /wrote none of the bytes/)
  assert.deepEqual(await temporariesIn(layout.dir), [])
})
