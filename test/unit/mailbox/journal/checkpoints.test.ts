import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { LIMITS } from '#lib/limits.js'
import type { Logger } from '#lib/logger.js'
import { silentLogger } from '#lib/logger.js'
import { Checkpoints } from '#lib/mailbox/journal/checkpoints.js'
import { JournalFolder, removedPath, segmentsInUse } from '#lib/mailbox/journal/journal-folder.js'
import { folderLayout } from '#lib/mailbox/layout.js'
import { failure, replaceHandle } from '../faulty-fs.js'
import { tempDir } from '../temp-mailbox.js'

const NOT_LINUX = process.platform !== 'linux' && 'sync takes no option here'

class Checkpointed {
  readonly folder: JournalFolder
  readonly checkpoints: Checkpoints

  constructor(dir: string, logger: Logger = silentLogger) {
    this.folder = new JournalFolder(folderLayout(dir))
    this.checkpoints = new Checkpoints(this.folder, logger)
  }

  /** A segment about `count` files, which are there. */
  async segment(count: number, settled = Promise.resolve()): Promise<{ path: string; names: string[] }> {
    await mkdir(this.folder.dir, { recursive: true })
    const path = this.folder.newPath()
    await writeFile(path, '')
    await writeFile(removedPath(path), '')
    const names = Array.from({ length: count }, (_, i) => `${i}.json`)
    for (const name of names) await writeFile(join(this.folder.layout.dir, name), name)
    this.checkpoints.add({ path, names, settled: () => settled })
    return { path, names }
  }
}

const isThere = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    () => false,
  )

/** A command `sync` that only says how it was called, and ends with `status`. Resolves with a function that reads that. */
async function fakeSync(t: TestContext, status: number): Promise<() => Promise<string>> {
  const dir = await tempDir(t)
  const path = join(dir, 'sync')
  await writeFile(path, `#!/bin/sh\necho "$@" >> "${dir}/calls"\nexit ${status}\n`)
  await chmod(path, 0o700)
  setPath(t, [dir, process.env.PATH].join(delimiter))
  return () => readFile(join(dir, 'calls'), 'utf8').catch(() => '')
}

function setPath(t: TestContext, path: string): void {
  const before = process.env.PATH
  process.env.PATH = path
  t.after(() => {
    process.env.PATH = before
  })
}

/** Counts the files, and other things, that are synced. */
async function countSyncs(t: TestContext): Promise<{ files: number }> {
  const count = { files: 0 }
  await replaceHandle(t, 'datasync', real => async () => {
    count.files++
    return real()
  })
  return count
}

test('a few files are synced one by one, then the segment and its note go', async t => {
  const called = await fakeSync(t, 0)
  const synced = await countSyncs(t)
  const it = new Checkpointed(await tempDir(t))
  const { path } = await it.segment(64)
  assert.ok(segmentsInUse.has(path))
  await it.checkpoints.close()
  assert.equal(synced.files, 64)
  assert.equal(await called(), '')
  assert.deepEqual([await isThere(path), await isThere(removedPath(path))], [false, false])
  assert.ok(!segmentsInUse.has(path))
})

test('more are synced all together', { skip: NOT_LINUX }, async t => {
  const called = await fakeSync(t, 0)
  const synced = await countSyncs(t)
  const dir = await tempDir(t)
  const it = new Checkpointed(dir)
  const { path } = await it.segment(65)
  await it.checkpoints.close()
  assert.equal(await called(), `-f ${dir}\n`)
  assert.equal(synced.files, 0)
  assert.equal(await isThere(path), false)
})

for (const [what, prepare] of [
  ['the command fails', (t: TestContext) => fakeSync(t, 1)],
  ['there is no such command', async (t: TestContext) => setPath(t, '')],
] as const) {
  test(`where ${what}, they are synced one by one`, async t => {
    await prepare(t)
    const synced = await countSyncs(t)
    const it = new Checkpointed(await tempDir(t))
    const { path } = await it.segment(65)
    await it.checkpoints.close()
    assert.equal(synced.files, 65)
    assert.equal(await isThere(path), false)
  })
}

test('files that are gone, or are something else by now, keep no segment', async t => {
  const dir = await tempDir(t)
  const { folder, checkpoints } = new Checkpointed(dir)
  await mkdir(folder.dir)
  await mkdir(join(dir, 'folder.json'))
  await symlink('/dev/null', join(dir, 'link.json'))
  const path = folder.newPath()
  await writeFile(path, '')
  checkpoints.add({ path, names: ['gone.json', 'folder.json', 'link.json'], settled: async () => {} })
  await checkpoints.close()
  assert.equal(await isThere(path), false)
})

test('a segment whose files cannot be synced stays, and is told of; the next one goes', async t => {
  const warned: string[] = []
  const logger = { ...silentLogger, warn: (_: unknown, message: string) => warned.push(message) }
  const it = new Checkpointed(await tempDir(t), logger)
  let left = 1
  await replaceHandle(t, 'datasync', real => async () => {
    if (left-- > 0) throw failure('EIO')
    return real()
  })
  const [first, second] = [await it.segment(1), await it.segment(1)]
  await it.checkpoints.close()
  assert.deepEqual([await isThere(first.path), await isThere(second.path)], [true, false])
  assert.equal(warned.length, 1)
  assert.ok(!segmentsInUse.has(first.path))
})

test('a folder that is gone keeps nothing back', async t => {
  const { checkpoints, folder } = new Checkpointed(join(await tempDir(t), 'gone'))
  checkpoints.add({ path: folder.newPath(), names: ['a.json'], settled: async () => {} })
  await checkpoints.close()
})

test('closing waits for so long and no longer: a disk may never answer', async t => {
  const it = new Checkpointed(await tempDir(t))
  let answer = () => {}
  const asked = new Promise<void>(isAsked =>
    replaceHandle(t, 'datasync', real => async () => {
      isAsked()
      await new Promise<void>(resolve => {
        answer = resolve
      })
      return real()
    }),
  )
  const hanging = await it.segment(1)
  const waiting = await it.segment(1)
  await asked
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const closing = it.checkpoints.close()
  t.mock.timers.tick(LIMITS.journalClose.value)
  await closing
  answer()
  assert.deepEqual([await isThere(waiting.path), segmentsInUse.has(waiting.path)], [true, false])
  t.mock.timers.reset()
  while (segmentsInUse.has(hanging.path)) await new Promise(setImmediate)
})
