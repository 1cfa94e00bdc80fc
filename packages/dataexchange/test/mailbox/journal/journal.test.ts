import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { folderLayout } from '#lib/disk/layout.js'
import { FIXED_LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import { Checkpoints, JOURNAL_SEGMENTS } from '#lib/mailbox/journal/checkpoints.js'
import { Journal } from '#lib/mailbox/journal/journal.js'
import { type ClosedSegment, JournalFolder, segmentsInUse } from '#lib/mailbox/journal/journal-folder.js'
import { decodeSegment, type JournalEntry } from '#lib/mailbox/journal/journal-format.js'
import { failHandles, failure, replaceFs, replaceHandle, replaceSyncFs } from '../../helpers/faulty-fs.js'
import { tempDir } from '../../helpers/temp-mailbox.js'

interface Temp {
  readonly dir: string
  readonly journal: Journal
  /** Appends an entry and settles it at once. */
  append(name: string, content?: Uint8Array): Promise<void>
}

async function tempJournal(t: TestContext): Promise<Temp> {
  const layout = folderLayout(join(await tempDir(t), 'inbox'))
  await mkdir(layout.dir)
  const folder = new JournalFolder(layout)
  const checkpoints = new Checkpoints(folder, silentLogger)
  const journal = new Journal(folder, checkpoints)
  t.after(async () => {
    await journal.close()
    await checkpoints.close()
  })
  const append = async (name: string, content: Uint8Array = Buffer.from(name)) =>
    (await journal.append({ name, content }))()
  return { dir: folder.dir, journal, append }
}

async function segmentsIn(dir: string): Promise<string[]> {
  return (await readdir(dir).catch(() => [])).filter(name => name.endsWith('.log')).sort()
}

/** The entries of all segments in `dir` that are not deleted meanwhile. */
async function entriesIn(dir: string): Promise<JournalEntry[]> {
  const segments = await segmentsIn(dir)
  const found = segments.map(name => readFile(join(dir, name)).catch(() => Buffer.alloc(0)))
  return (await Promise.all(found)).flatMap(bytes => decodeSegment(bytes).entries)
}

/** Polls until `isSo` resolves with true: checkpoints run in the background. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 5))
}

/** Returns a function that puts the monotonic clock ahead. */
function later(t: TestContext): (ms: number) => void {
  const now = performance.now.bind(performance)
  let ahead = 0
  t.mock.method(performance, 'now', () => now() + ahead)
  return ms => {
    ahead += ms
  }
}

test('the first entry creates one segment with mode 0600, which takes the next entries, too', async t => {
  const { dir, append } = await tempJournal(t)
  assert.deepEqual(await segmentsIn(dir), [])
  await append('a')
  await append('b')
  const [segment = '', ...others] = await segmentsIn(dir)
  assert.deepEqual(others, [])
  assert.match(segment, new RegExp(`^${process.pid}-[0-9a-f]{16}-1\\.log$`))
  assert.equal((await stat(join(dir, segment))).mode & 0o777, 0o600)
  assert.deepEqual(
    (await entriesIn(dir)).map(({ name }) => name),
    ['a', 'b'],
  )
})

test('concurrent entries share a sync, and all are in the file, in order, before any resolves', async t => {
  const { dir, append } = await tempJournal(t)
  await append('first')
  let syncs = 0
  await replaceHandle(t, 'datasync', real => async () => {
    await real()
    syncs++
  })
  const resolved: string[] = []
  const names = Array.from({ length: 200 }, (_, i) => `${i}`)
  await Promise.all(
    names.map(async name => {
      await append(name)
      assert.ok(syncs > 0)
      resolved.push(name)
    }),
  )
  assert.deepEqual(resolved, names)
  assert.deepEqual(
    (await entriesIn(dir)).map(({ name }) => name),
    ['first', ...names],
  )
  assert.equal(syncs, 1)
})

test('entries appended during a sync share the next one', async t => {
  const { dir, append } = await tempJournal(t)
  await append('first')
  let syncs = 0
  let more: Promise<void>[] = []
  await replaceHandle(t, 'datasync', real => async () => {
    if (syncs++ === 0) more = ['b', 'c', 'd'].map(name => append(name))
    return real()
  })
  await Promise.all([append('a'), append('a too')])
  await Promise.all(more)
  assert.equal(syncs, 2)
  assert.equal((await entriesIn(dir)).length, 6)
})

test('a batch is limited in entries and in bytes', async t => {
  const { append } = await tempJournal(t)
  await append('first')
  let syncs = 0
  await replaceHandle(t, 'datasync', real => async () => {
    syncs++
    return real()
  })
  await Promise.all(Array.from({ length: 258 }, (_, i) => append(`${i}`)))
  assert.equal(syncs, 2)
  syncs = 0
  const content = Buffer.alloc(1_000_000, 'x')
  await Promise.all(Array.from({ length: 6 }, (_, i) => append(`${i}`, content)))
  assert.equal(syncs, 2)
})

test('a single entry is synced by this thread on a fast disk, and by the thread pool after a slow sync', async t => {
  const { dir, append } = await tempJournal(t)
  let slow = false
  let own = 0
  replaceSyncFs(t, 'fdatasyncSync', () => () => {
    own++
    for (const end = performance.now() + (slow ? 5 : 0); performance.now() < end; );
  })
  let others = 0
  await replaceHandle(t, 'datasync', () => async () => {
    others++
  })
  for (let i = 0; i < 50; i++) await append(`${i}`)
  const fast = own
  assert.ok(fast > 0)
  slow = true
  const before = others
  for (let i = 50; i < 60; i++) await append(`${i}`)
  assert.ok(others > before)
  assert.ok(own - fast <= 5, `${own - fast} of 10 after slow ones`)
  assert.equal((await entriesIn(dir)).length, 60)
})

for (const name of ['datasync', 'sync'] as const) {
  test(`a failed ${name} rejects the waiting entries; the next ones get another segment`, async t => {
    const { dir, append } = await tempJournal(t)
    let left = 1
    if (name === 'datasync') {
      await append('before')
      await failHandles(t, 'datasync', 1)
    } else {
      await replaceHandle(t, 'sync', real => async () => {
        if (left-- > 0) throw failure('EIO')
        return real()
      })
    }
    const results = await Promise.allSettled([append('a'), append('b')])
    for (const result of results) assert.ok(result.status === 'rejected' && result.reason.code === 'EIO')
    await append('c')
    assert.ok((await entriesIn(dir)).some(entry => entry.name === 'c'))
    // The files of the failed segment are synced, and it is deleted.
    await until(async () => (await segmentsIn(dir)).length === 1)
    assert.deepEqual(
      (await entriesIn(dir)).map(entry => entry.name),
      ['c'],
    )
  })
}

test('a segment that cannot be created leaves nothing behind, on disk or in memory', async t => {
  const { dir, append } = await tempJournal(t)
  const inUse = segmentsInUse.size
  let broken = true
  replaceFs(t, 'open', real => (path, ...rest) => {
    if (broken && String(path).endsWith('.log')) return Promise.reject(failure('EACCES'))
    return real(path, ...rest)
  })
  await assert.rejects(append('a'), { code: 'EACCES' })
  broken = false
  await failHandles(t, 'datasync', 1)
  await assert.rejects(append('b'), { code: 'EIO' })
  assert.deepEqual(await segmentsIn(dir), [])
  assert.equal(segmentsInUse.size, inUse)
  await append('c')
})

for (const [what, act] of [
  ['removed', (dir: string) => rm(dir, { recursive: true })],
  ['moved away', (dir: string) => rename(dir, `${dir}.away`)],
  [
    'replaced by another',
    async (dir: string) => {
      await rename(dir, `${dir}.away`)
      await mkdir(dir)
    },
  ],
] as const) {
  test(`a journal that is ${what} rejects the next entry and is created again`, async t => {
    const { dir, append } = await tempJournal(t)
    await append('before')
    await act(dir)
    await assert.rejects(append('lost'))
    await append('after')
    assert.deepEqual(
      (await entriesIn(dir)).map(({ name }) => name),
      ['after'],
    )
  })
}

test('a full or old segment is followed by another', async t => {
  const { dir, append } = await tempJournal(t)
  const ahead = later(t)
  const content = Buffer.alloc(FIXED_LIMITS.journalSegment.value / 4, 'x')
  for (let i = 0; i < 4; i++) await append(`${i}`, content)
  await until(async () => (await segmentsIn(dir)).length === 0)
  await append('next')
  const [next] = await segmentsIn(dir)
  ahead(FIXED_LIMITS.journalAge.value)
  await append('after it')
  await append('last')
  await until(async () => (await segmentsIn(dir)).length === 1)
  assert.notEqual((await segmentsIn(dir))[0], next)
  assert.deepEqual(
    (await entriesIn(dir)).map(({ name }) => name),
    ['after it', 'last'],
  )
})

test('an entry appended while a full segment is closed does not wait for another entry', async t => {
  const { append } = await tempJournal(t)
  let meanwhile: Promise<void> | undefined
  const add = Checkpoints.prototype.add
  t.mock.method(Checkpoints.prototype, 'add', function (this: Checkpoints, segment: ClosedSegment) {
    meanwhile ??= append('meanwhile')
    add.call(this, segment)
  })
  await append('full', Buffer.alloc(FIXED_LIMITS.journalSegment.value, 'x'))
  await until(async () => meanwhile !== undefined)
  await meanwhile
})

test('an idle segment is checkpointed when it is old', async t => {
  const { dir, append } = await tempJournal(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  await append('a')
  t.mock.timers.tick(FIXED_LIMITS.journalAge.value - 1)
  assert.equal((await segmentsIn(dir)).length, 1)
  t.mock.timers.tick(1)
  t.mock.timers.reset()
  await until(async () => (await segmentsIn(dir)).length === 0)
})

test('a segment waits for the names of its files; too many waiting segments make hasRoom false', async t => {
  const { dir, journal, append } = await tempJournal(t)
  const ahead = later(t)
  const settle = await journal.append({ name: 'slow', content: Buffer.from('x') })
  // The first is being checkpointed, and these wait for it.
  for (let i = 0; i <= JOURNAL_SEGMENTS; i++) {
    assert.equal(journal.hasRoom, true)
    ahead(FIXED_LIMITS.journalAge.value)
    await append(`${i}`)
  }
  await append('one more')
  assert.equal(journal.hasRoom, false)
  assert.ok((await entriesIn(dir)).some(({ name }) => name === 'slow'))
  settle()
  await until(async () => journal.hasRoom)
  await until(async () => !(await entriesIn(dir)).some(({ name }) => name === 'slow'))
})

test('close waits for running appends, also if called twice, and leaves no segment', async t => {
  const layout = folderLayout(await tempDir(t))
  const folder = new JournalFolder(layout)
  const checkpoints = new Checkpoints(folder, silentLogger)
  const journal = new Journal(folder, checkpoints)
  const settled: string[] = []
  const appending = journal.append({ name: 'a', content: Buffer.from('x') }).then(settle => {
    settled.push('a')
    settle()
  })
  await Promise.all([journal.close(), journal.close()])
  assert.deepEqual(settled, ['a'])
  await appending
  await checkpoints.close()
  assert.equal(journal.hasRoom, false)
  assert.deepEqual(await readdir(folder.dir), [])
})

test('close while an old segment is being retired leaves no segment', async t => {
  const layout = folderLayout(await tempDir(t))
  const folder = new JournalFolder(layout)
  const checkpoints = new Checkpoints(folder, silentLogger)
  const journal = new Journal(folder, checkpoints)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const settle = await journal.append({ name: 'a', content: Buffer.from('x') })
  settle()
  await new Promise(setImmediate)
  t.mock.timers.tick(FIXED_LIMITS.journalAge.value)
  t.mock.timers.reset()
  await journal.close()
  await checkpoints.close()
  assert.deepEqual(await readdir(folder.dir), [])
})
