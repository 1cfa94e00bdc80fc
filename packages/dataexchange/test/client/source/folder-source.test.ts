import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { readTar } from '#lib/archive/read-tar.js'
import { concat } from '#lib/bytes.js'
import { type FolderSource, openFolder } from '#lib/client/source/folder-source.js'
import { folderAt } from '#lib/client/source/list-folder.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { all, makeTree, mixedTree, snapshot } from '../../../../../test/helpers/folder-tree.js'
import { tempDir } from '../../../../../test/helpers/temp-dir.js'

const OPTIONS = { root: 'f', skipSpecial: false }

async function wholeOf(source: FolderSource): Promise<Uint8Array> {
  return concat(await all(source.pieces()))
}

test('a folder is an archive with its manifest first, the same one each time', async t => {
  const dir = mixedTree(join(tempDir(t), 'x'))
  const source = await openFolder(dir, OPTIONS)
  const bytes = await wholeOf(source)
  assert.equal(bytes.length, source.size)
  assert.deepEqual(await wholeOf(await openFolder(dir, OPTIONS)), bytes)
  const read = { size: bytes.length, read: source.read }
  const paths = (await all(readTar(read))).map(({ path }) => path)
  assert.deepEqual(paths.slice(0, 3), ['.pilot-manifest.json', 'f', 'f/a.txt'])
  assert.deepEqual(
    paths.slice(2).sort(),
    Object.keys(snapshot(dir))
      .map(name => `f/${name}`)
      .sort(),
  )
})

test('it can be read from anywhere, in parts of any size', async t => {
  const dir = mixedTree(join(tempDir(t), 'x'))
  const source = await openFolder(dir, OPTIONS)
  const whole = await wholeOf(source)
  for (const size of [1, 100, 511, 513, 4096, 70_000]) {
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 97)) {
      const part = new Uint8Array(Math.min(size, whole.length - at)).fill(0xaa)
      await source.read(part, at)
      assert.deepEqual(part, whole.slice(at, at + part.length), `${size} bytes from ${at}`)
    }
  }
})

test('GNU tar unpacks it to the same folder', async t => {
  if (spawnSync('tar', ['--version']).status !== 0) return t.skip('no tar')
  const base = tempDir(t)
  const dir = mixedTree(join(base, 'x'))
  writeFileSync(join(base, 'x.tar'), await wholeOf(await openFolder(dir, OPTIONS)))
  mkdirSync(join(base, 'out'))
  execFileSync('tar', ['xpf', '../x.tar'], { cwd: join(base, 'out') })
  assert.deepEqual(snapshot(join(base, 'out', 'f')), snapshot(dir))
})

test('an empty folder is one', async t => {
  const dir = makeTree(join(tempDir(t), 'x'), {})
  const source = await openFolder(dir, OPTIONS)
  assert.deepEqual([source.files, source.folders], [0, 0])
  assert.equal((await wholeOf(source)).length, source.size)
})

test('a link, a socket and a FIFO are errors that name them, or left out', async t => {
  const dir = makeTree(join(tempDir(t), 'x'), { 'd/a': 'a' })
  symlinkSync('/etc/passwd', join(dir, 'd', 'link'))
  const link = { code: 'SOURCE_UNREADABLE', message: /d\/link is a symbolic link.*skip/ }
  await assert.rejects(openFolder(dir, OPTIONS), link)
  const left = await openFolder(dir, { ...OPTIONS, skipSpecial: true })
  assert.deepEqual([left.files, left.skipped], [1, ['d/link']])
  rmSync(join(dir, 'd', 'link'))

  const server = createServer().listen(join(dir, 'd', 's'))
  t.after(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  await assert.rejects(openFolder(dir, OPTIONS), { code: 'SOURCE_UNREADABLE', message: /d\/s is a socket/ })
  await new Promise(resolve => server.close(resolve))
  if (spawnSync('mkfifo', [join(dir, 'd', 'p')]).status === 0)
    await assert.rejects(openFolder(dir, OPTIONS), { code: 'SOURCE_UNREADABLE', message: /d\/p is a FIFO/ })
})

test('a hard link goes as a file', async t => {
  const dir = makeTree(join(tempDir(t), 'x'), { a: 'abc' })
  linkSync(join(dir, 'a'), join(dir, 'b'))
  assert.equal((await openFolder(dir, OPTIONS)).files, 2)
})

test('a name that is not UTF-8 is an error', { skip: process.platform !== 'linux' }, async t => {
  const dir = makeTree(join(tempDir(t), 'x'), {})
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0x41])]), '')
  await assert.rejects(openFolder(dir, OPTIONS), { code: 'SOURCE_UNREADABLE', message: /not UTF-8/ })
})

test('too many entries, too deep and too long ones are errors', async t => {
  const limit = FIXED_LIMITS.folderEntries as { value: number }
  const before = limit.value
  t.after(() => {
    limit.value = before
  })
  const dir = makeTree(join(tempDir(t), 'x'), { a: '', 'b/c': '', 'b/d': '' })
  limit.value = 4
  assert.equal((await openFolder(dir, OPTIONS)).files, 3)
  limit.value = 3
  await assert.rejects(openFolder(dir, OPTIONS), { code: 'SOURCE_UNREADABLE', message: /more than 3/ })
  limit.value = before
  makeTree(dir, { [`${'d/'.repeat(99)}x`]: '' })
  await assert.rejects(openFolder(dir, OPTIONS), { code: 'SOURCE_UNREADABLE', message: /folders deep/ })
})

const changes: Record<string, (dir: string) => void> = {
  'has grown': dir => writeFileSync(join(dir, 'd', 'a'), 'longer than before'),
  'has shrunk': dir => writeFileSync(join(dir, 'd', 'a'), ''),
  'has been written at another time': dir => utimesSync(join(dir, 'd', 'a'), 1, 1),
  'has been replaced': dir => {
    rmSync(join(dir, 'd', 'a'))
    writeFileSync(join(dir, 'd', 'a'), 'abcdef')
  },
  'was empty and is not': dir => writeFileSync(join(dir, 'd', 'empty'), 'x'),
}
for (const [name, change] of Object.entries(changes)) {
  test(`a file that ${name} ends the reading`, async t => {
    const dir = makeTree(join(tempDir(t), 'x'), { 'd/a': 'abcdef', 'd/empty': '' })
    const source = await openFolder(dir, OPTIONS)
    await wholeOf(source)
    change(dir)
    await assert.rejects(wholeOf(source), { name: 'DeliveryError', code: 'SOURCE_CHANGED' })
  })
}

test('a folder to which something was added ends the reading; one that is gone, too', async t => {
  const dir = makeTree(join(tempDir(t), 'x'), { 'd/a': 'abcdef' })
  utimesSync(join(dir, 'd'), 1, 1)
  const source = await openFolder(dir, OPTIONS)
  writeFileSync(join(dir, 'd', 'b'), 'new')
  await assert.rejects(wholeOf(source), { code: 'SOURCE_CHANGED', message: /d changed/ })
  rmSync(dir, { recursive: true })
  await assert.rejects(wholeOf(source), { code: 'SOURCE_UNREADABLE' })
})

test('a file that became a link is not followed', async t => {
  const dir = makeTree(join(tempDir(t), 'x'), { a: 'abc' })
  const source = await openFolder(dir, OPTIONS)
  rmSync(join(dir, 'a'))
  symlinkSync('/etc/hostname', join(dir, 'a'))
  await assert.rejects(wholeOf(source), { name: 'DeliveryError' })
})

test('a file that may not be read is named', {
  skip: process.getuid?.() === 0 && 'root reads all',
}, async t => {
  const dir = makeTree(join(tempDir(t), 'x'), { a: 'abc' })
  chmodSync(join(dir, 'a'), 0)
  const source = await openFolder(dir, OPTIONS)
  await assert.rejects(wholeOf(source), {
    code: 'SOURCE_UNREADABLE',
    message: /a cannot be read: permission/,
  })
})

test('only folders are folders, and links to them', async t => {
  const base = tempDir(t)
  const dir = makeTree(join(base, 'x'), { a: '' })
  symlinkSync(dir, join(base, 'link'))
  assert.equal(await folderAt(join(base, 'link')), dir)
  assert.equal(await folderAt(join(dir, 'a')), undefined)
  assert.equal(await folderAt(join(dir, 'none')), undefined)
})
