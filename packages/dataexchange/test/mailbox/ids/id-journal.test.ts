import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { LIMITS } from '#lib/limits.js'
import { silentLogger } from '#lib/logger.js'
import { IdJournal, type IdRecord, type JournalFile } from '#lib/mailbox/ids/id-journal.js'
import { failHandles } from '../faulty-fs.js'
import { tempDir, tempMailbox } from '../temp-mailbox.js'

function record(digest: string): IdRecord {
  return {
    kind: 'stored',
    digest,
    expiresAt: 1_000,
    folder: 'inbox',
    name: `a "name" of ${digest}\u2028`,
    inode: 7,
    from: '0:0000.0000.000A',
  }
}

async function tempJournal(t: TestContext): Promise<{ journal: IdJournal; dir: string }> {
  const dir = join(await tempDir(t), 'inbox', '.ids')
  const journal = new IdJournal(dir, true)
  t.after(() => journal.close())
  return { journal, dir }
}

const NO_PROC = existsSync('/proc/self/fd') ? false : 'there is no /proc to see open files in'

async function openFilesIn(dir: string): Promise<string[]> {
  const fds = await readdir('/proc/self/fd')
  const paths = await Promise.all(fds.map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return paths.filter(path => path.startsWith(dir))
}

test('nothing is made before the first record; then records are read as they were written', async t => {
  const { journal, dir } = await tempJournal(t)
  assert.deepEqual(await journal.read(silentLogger), { records: [], abandoned: [] })
  await assert.rejects(readdir(dir), { code: 'ENOENT' })
  const records = ['a', 'b', 'c'].map(record)
  await Promise.all(records.map((one, i) => journal.append(one, i > 0)))
  assert.deepEqual((await journal.read(silentLogger)).records, records)
  assert.equal((await readdir(dir)).length, 1)
})

test('a file is removed when it is full and nothing in it is needed', async t => {
  const { journal, dir } = await tempJournal(t)
  const full = LIMITS.idJournalRecords.value
  const first = await Promise.all(
    Array.from({ length: full }, (_, i) => journal.append(record(`${i}`), true)),
  )
  assert.equal(new Set(first).size, 1)
  const next = await journal.append(record('next'), true)
  assert.notEqual(next, first[0])
  assert.equal((await readdir(dir)).length, 2)
  for (const file of first) await file.release()
  assert.equal((await readdir(dir)).length, 1)
  await next.release()
  assert.equal((await readdir(dir)).length, 1)
  await journal.close()
  assert.deepEqual(await readdir(dir), [])
})

test('a file that is full is not kept open for the one record in it that is needed', {
  skip: NO_PROC,
}, async t => {
  const { journal, dir } = await tempJournal(t)
  const full = LIMITS.idJournalRecords.value
  const needed: JournalFile[] = []
  for (let i = 0; i < 3; i++) {
    const filling = Array.from({ length: full }, (_, i) => journal.append(record(`${i}`), true))
    // They are being written: this one goes to another file, while they are synced.
    await nextTurn()
    needed.push(await journal.append(record('needed'), true))
    for (const file of await Promise.all(filling)) await file.release()
  }
  assert.equal((await readdir(dir)).length, 3)
  while ((await openFilesIn(dir)).length > 1) await delay(5)
  // They count, and are nobody else's.
  const { records, abandoned } = await journal.read(silentLogger)
  assert.equal(records.filter(({ digest }) => digest === 'needed').length, 3)
  assert.deepEqual(abandoned, [])
  for (const file of needed) await file.release()
  assert.equal((await readdir(dir)).length, 1)
})

for (const name of ['datasync', 'write'] as const) {
  test(`after a ${name} that failed, its file takes no more; the next record goes to another`, async t => {
    const { journal, dir } = await tempJournal(t)
    const first = await journal.append(record('a'), true)
    await failHandles(t, name, 1)
    const [failed, alsoFailed] = await Promise.allSettled([
      journal.append(record('b'), true),
      journal.append(record('c'), true),
    ])
    assert.deepEqual([failed?.status, alsoFailed?.status], ['rejected', 'rejected'])
    assert.notEqual(await journal.append(record('d'), true), first)
    const { records } = await journal.read(silentLogger)
    const digests = records.map(({ digest }) => digest)
    assert.ok(digests.includes('a') && digests.includes('d'), digests.join())
    assert.equal((await readdir(dir)).length, 2)
  })
}

test('a message whose id cannot be recorded is refused, and nothing of it stays; the next is stored', async t => {
  const mailbox = await tempMailbox(t)
  const store = (messageId: string) =>
    mailbox.storeMessage({ type: 'TEXT', from: 'a', length: 1, messageId }, Buffer.from('x'))
  await store('before')
  // In the short way and in the long one.
  await failHandles(t, 'write', 2)
  await assert.rejects(store('id'), { code: 'STORE_FAILED' })
  const listed = await readdir(mailbox.inboxDir)
  assert.equal(listed.filter(name => name.endsWith('.json')).length, 1)
  assert.deepEqual(await readdir(join(mailbox.inboxDir, '.tmp')), [])
  assert.equal((await store('id')).duplicate, false)
  assert.equal((await store('id')).duplicate, true)
})

test('files of processes that have ended are abandoned, those of others not before all in them has expired', async t => {
  const { journal, dir } = await tempJournal(t)
  await mkdir(dir, { recursive: true })
  const token = '0123456789abcdef'
  const dead = join(dir, `2147483646-${token}-1.ids`)
  const alive = join(dir, `${process.ppid}-${token}-1.ids`)
  const idle = join(dir, `${process.ppid}-${token}-2.ids`)
  for (const path of [dead, alive, idle]) await writeFile(path, '')
  await writeFile(join(dir, 'something else'), 'x')
  const longAgo = (Date.now() - 3 * LIMITS.idLifetime.value) / 1000
  await utimes(idle, longAgo, longAgo)
  await journal.append(record('ours'), true)
  const { abandoned } = await journal.read(silentLogger)
  assert.deepEqual(abandoned.sort(), [dead, idle].sort())
  await journal.remove(abandoned)
  assert.equal((await readdir(dir)).length, 3)
  assert.equal(await readFile(alive, 'utf8'), '')
})
