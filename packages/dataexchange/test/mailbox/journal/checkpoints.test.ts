import assert from 'node:assert/strict'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { bootId } from '#lib/disk/boot-id.js'
import { folderLayout } from '#lib/disk/layout.js'
import type { Logger } from '#lib/logger.js'
import { silentLogger } from '#lib/logger.js'
import { Checkpoints, JOURNAL_CLOSE_MS } from '#lib/mailbox/journal/checkpoints.js'
import {
  failedPath,
  JournalFolder,
  segmentsInUse,
  tombstonesPath,
} from '#lib/mailbox/journal/journal-folder.js'
import { encodeBatch, encodeHeader } from '#lib/mailbox/journal/journal-format.js'
import { countSyncs, fakeSync, NOT_LINUX } from '../../helpers/fake-sync.js'
import { failHandles, failure, replaceFs, replaceHandle, replaceSyncFs } from '../../helpers/faulty-fs.js'
import { tempDir } from '../../helpers/temp-mailbox.js'

interface SegmentOptions {
  readonly settled?: Promise<void>
  readonly hasFailed?: boolean
  /** Runs before the segment is given to the checkpoints. */
  readonly prepare?: () => Promise<void>
}

class Checkpointed {
  readonly folder: JournalFolder
  readonly checkpoints: Checkpoints

  constructor(dir: string, logger: Logger = silentLogger) {
    this.folder = new JournalFolder(folderLayout(dir))
    this.checkpoints = new Checkpoints(this.folder, logger)
  }

  /** Adds a segment with entries for `count` files, which exist. */
  async segment(count: number, options: SegmentOptions = {}): Promise<{ path: string; names: string[] }> {
    const { settled = Promise.resolve(), hasFailed = false, prepare } = options
    await mkdir(this.folder.dir, { recursive: true })
    const path = this.folder.newPath()
    const names = Array.from({ length: count }, (_, i) => `${i}.json`)
    const entries = names.map(name => ({ name, content: Buffer.from(name) }))
    await writeFile(path, Buffer.concat([encodeHeader(bootId()), encodeBatch(entries)]))
    await writeFile(tombstonesPath(path), '')
    for (const name of names) await writeFile(join(this.folder.layout.dir, name), name)
    await prepare?.()
    this.checkpoints.add({ path, names, hasFailed, settled: () => settled })
    return { path, names }
  }
}

/** Collects the synchronous writes. */
function countWrites(t: TestContext): string[] {
  const written: string[] = []
  replaceSyncFs(t, 'writeSync', real => (fd, bytes, ...rest) => {
    written.push(String(bytes))
    return real(fd, bytes, ...rest)
  })
  return written
}

const isThere = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    () => false,
  )

test('a few files are synced one by one, then the segment and its tombstones are deleted', async t => {
  const called = await fakeSync(t, 'exit 0')
  const synced = await countSyncs(t)
  const it = new Checkpointed(await tempDir(t))
  const { path } = await it.segment(64)
  assert.ok(segmentsInUse.has(path))
  await it.checkpoints.close()
  assert.equal(synced.files, 64)
  assert.deepEqual(await called(), [])
  assert.deepEqual([await isThere(path), await isThere(tombstonesPath(path))], [false, false])
  assert.ok(!segmentsInUse.has(path))
})

test('more files are synced together with their file system', { skip: NOT_LINUX }, async t => {
  const called = await fakeSync(t, 'exit 0')
  const synced = await countSyncs(t)
  const dir = await tempDir(t)
  const it = new Checkpointed(dir)
  const { path } = await it.segment(65)
  await it.checkpoints.close()
  assert.deepEqual(await called(), [`-f ${dir}`])
  assert.equal(synced.files, 0)
  assert.equal(await isThere(path), false)
})

test('files that are gone or replaced do not keep the segment', async t => {
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

test('a segment whose files cannot be synced stays and is logged; the next one is deleted', async t => {
  const warned: string[] = []
  const logger = { ...silentLogger, warn: (_: unknown, message: string) => warned.push(message) }
  const it = new Checkpointed(await tempDir(t), logger)
  await failHandles(t, 'datasync', 2)
  // The checkpoint waits until the files of both segments exist: they have the same names.
  let begin = () => {}
  const settled = new Promise<void>(resolve => {
    begin = resolve
  })
  const [first, second] = [await it.segment(1, { settled }), await it.segment(1)]
  begin()
  await it.checkpoints.close()
  assert.deepEqual([await isThere(first.path), await isThere(second.path)], [true, false])
  assert.deepEqual(
    [await isThere(failedPath(first.path)), await isThere(failedPath(second.path))],
    [true, false],
  )
  assert.equal(warned.length, 1)
  assert.ok(!segmentsInUse.has(first.path))
})

test('after a failed sync the content is written once more before the files are synced again', async t => {
  const it = new Checkpointed(await tempDir(t))
  const written = countWrites(t)
  await failHandles(t, 'datasync', 1)
  const { path } = await it.segment(3)
  await it.checkpoints.close()
  assert.deepEqual(written, ['0.json', '1.json', '2.json'])
  assert.deepEqual([await isThere(path), await isThere(failedPath(path))], [false, false])
})

test('the same after a failed sync in an earlier process; replaced files are left alone', async t => {
  const it = new Checkpointed(await tempDir(t))
  const written = countWrites(t)
  const { dir } = it.folder.layout
  const { path } = await it.segment(6, {
    hasFailed: true,
    prepare: async () => {
      await rm(join(dir, '0.json'))
      await writeFile(join(dir, '1.json'), 'longer than it was')
      await writeFile(join(dir, '2.json'), '2.jsoN')
      for (const name of ['3.json', '4.json']) await rm(join(dir, name))
      await mkdir(join(dir, '3.json'))
      await symlink('5.json', join(dir, '4.json'))
    },
  })
  await it.checkpoints.close()
  assert.deepEqual(written, ['5.json'])
  assert.equal(await isThere(path), false)
})

test('a file that cannot be opened is not a failed sync', async t => {
  const it = new Checkpointed(await tempDir(t))
  replaceFs(t, 'open', real => (path, flags, ...rest) => {
    return typeof flags === 'number' ? Promise.reject(failure('EMFILE')) : real(path, flags, ...rest)
  })
  const { path } = await it.segment(1)
  await it.checkpoints.close()
  assert.deepEqual([await isThere(path), await isThere(failedPath(path))], [true, false])
})

test('a segment whose folder is gone is dropped', async t => {
  const { checkpoints, folder } = new Checkpointed(join(await tempDir(t), 'gone'))
  checkpoints.add({ path: folder.newPath(), names: ['a.json'], settled: async () => {} })
  await checkpoints.close()
})

test('close waits for a limited time: a disk may hang', async t => {
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
  t.mock.timers.tick(JOURNAL_CLOSE_MS)
  await closing
  answer()
  assert.deepEqual([await isThere(waiting.path), segmentsInUse.has(waiting.path)], [true, false])
  t.mock.timers.reset()
  while (segmentsInUse.has(hanging.path)) await new Promise(setImmediate)
})
